import { Metadata } from "@grpc/grpc-js";
import { ExoError } from "../core/errors.js";
import { type NodeBuild, requireCompatible } from "./compatibility.js";
import type { HopEdge } from "./hop-client.js";

/** Who calls: metadata of every call between nodes. */
export interface Caller extends NodeBuild {
  readonly nodeId: string;
}

const KEYS = {
  protocol: "exo-protocol",
  llamaTag: "exo-llama-tag",
  llamaCommit: "exo-llama-commit",
  cluster: "exo-cluster",
  node: "exo-node",
  ring: "exo-ring",
  epoch: "exo-epoch",
  fromStage: "exo-from-stage",
} as const;

/** Ids are printable ASCII without spaces, so that they fit a header, a log line and a URL. */
const ID = /^[\x21-\x7e]{1,128}$/;

export function isId(text: string): boolean {
  return ID.test(text);
}

export function callerMetadata(caller: Caller): Metadata {
  const metadata = new Metadata();
  metadata.set(KEYS.protocol, String(caller.protocolVersion));
  metadata.set(KEYS.llamaTag, caller.llamaTag);
  metadata.set(KEYS.llamaCommit, caller.llamaCommit);
  metadata.set(KEYS.cluster, caller.cluster);
  metadata.set(KEYS.node, caller.nodeId);
  return metadata;
}

/** For services that any release understands alike. */
export function nodeMetadata(nodeId: string): Metadata {
  const metadata = new Metadata();
  metadata.set(KEYS.node, nodeId);
  return metadata;
}

export function hopMetadata(caller: Caller, edge: HopEdge): Metadata {
  const metadata = callerMetadata(caller);
  metadata.set(KEYS.ring, edge.ringId);
  metadata.set(KEYS.epoch, String(edge.epoch));
  metadata.set(KEYS.fromStage, String(edge.fromStage));
  return metadata;
}

/** Refuses a caller that is no exo-native node (`peer_incompatible`), or one of another build. */
export function requireCaller(metadata: Metadata, own: NodeBuild, address: string): Caller {
  const protocol = read(metadata, KEYS.protocol);
  if (protocol === null) {
    throw new ExoError(
      "peer_incompatible",
      `${address} did not say which protocol version it speaks; it is no exo-native node.`,
    );
  }
  const caller: Caller = {
    protocolVersion: Number(protocol),
    llamaTag: read(metadata, KEYS.llamaTag) ?? "unknown",
    llamaCommit: read(metadata, KEYS.llamaCommit) ?? "unknown",
    cluster: read(metadata, KEYS.cluster) ?? "",
    nodeId: read(metadata, KEYS.node) ?? "",
  };
  requireCompatible(own, caller);
  return caller;
}

/** Who calls, as it says. */
export function callingNode(metadata: Metadata): string | null {
  return read(metadata, KEYS.node);
}

export function requireEdge(metadata: Metadata, caller: Caller): HopEdge {
  const ringId = read(metadata, KEYS.ring);
  const epoch = readCount(metadata, KEYS.epoch, 0xffff_ffff);
  const fromStage = readCount(metadata, KEYS.fromStage, 0xffff);
  if (ringId === null || epoch === null || fromStage === null) {
    throw new ExoError(
      "invalid_argument",
      "A hop stream names its ring, epoch and sending stage in its metadata; these are missing or malformed.",
    );
  }
  return { ringId, epoch, fromStage, nodeId: caller.nodeId };
}

function read(metadata: Metadata, key: string): string | null {
  const [value] = metadata.get(key);
  return typeof value === "string" && isId(value) ? value : null;
}

function readCount(metadata: Metadata, key: string, most: number): number | null {
  const text = read(metadata, key);
  if (text === null || !/^\d{1,10}$/.test(text)) return null;
  const value = Number(text);
  return value <= most ? value : null;
}
