import { ExoError } from "../core/errors.js";

/**
 * Version of everything on the wire: services, stream metadata and frames. Raised with every change that an older node
 * would misread.
 */
export const PROTOCOL_VERSION = 4;

/** What two nodes must agree on to work together. */
export interface NodeBuild {
  /** A name that keeps clusters on one network apart; no secret. */
  readonly cluster: string;
  readonly protocolVersion: number;
  /** The llama.cpp release the addon was built from: tag for people, commit for comparison. */
  readonly llamaTag: string;
  readonly llamaCommit: string;
}

/**
 * Throws `peer_incompatible`, naming both clusters or versions, when the two do not work together: hidden states and KV
 * caches are only the same on both sides with the same llama.cpp. The sentence is read on both sides, so it speaks of
 * neither as "this node".
 */
export function requireCompatible(own: NodeBuild, peer: NodeBuild): void {
  if (own.protocolVersion !== peer.protocolVersion) {
    throw refusal(
      `A node that speaks protocol version ${peer.protocolVersion} and one that speaks version ${own.protocolVersion} ` +
        "cannot work together; run the same exo-native release on both.",
    );
  }
  if (own.llamaCommit !== peer.llamaCommit) {
    throw refusal(
      `A node built with llama.cpp ${describe(peer)} and one built with ${describe(own)} cannot work together; run the ` +
        "same exo-native release on both.",
    );
  }
  if (own.cluster !== peer.cluster) {
    throw refusal(
      `Nodes of the clusters "${peer.cluster}" and "${own.cluster}" keep apart; start both with the same --cluster to ` +
        "let them work together.",
    );
  }
}

function refusal(sentence: string): ExoError {
  return new ExoError("peer_incompatible", sentence);
}

function describe(build: NodeBuild): string {
  return `${build.llamaTag} (${build.llamaCommit.slice(0, 12)})`;
}
