import type { CertifiedNode } from "./peer-certificate.js";

/** PEM. */
export interface TrustMaterial {
  readonly key: string;
  /** This node's certificate, with those that lead to an older authority behind it. */
  readonly certificates: string;
  readonly authorities: readonly string[];
}

/** What connections of a cluster with a secret need to know of its keys; it changes while the node runs. */
export interface TrustView {
  /** As in this node's certificate. */
  readonly id: string;
  material(): TrustMaterial;
  /** Why a node with a valid certificate is not let in, as a sentence, or `null`. */
  whyRefused(peer: CertifiedNode): string | null;
  /** A connection with it was made. */
  met(peer: CertifiedNode): void;
  /** Calls back when any of the above is different. Returns the way to unsubscribe. */
  onChange(listener: () => void): () => void;
}

/** Somebody who was not let in. */
export interface Refusal {
  readonly host: string;
  /** As in its certificate, if that is one of the cluster. */
  readonly nodeId: string | null;
  /** A sentence. */
  readonly reason: string;
}
