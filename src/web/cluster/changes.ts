import type { ClusterDocument, ClusterNode, ClusterRing } from "../api/cluster-document.js";
import { isMember } from "./member.js";

/** What happened between two looks at the cluster, in sentences, the weightiest first. */
export function changesBetween(before: ClusterDocument, after: ClusterDocument): readonly string[] {
  return [...nodeChanges(before.nodes, after.nodes), ...ringChanges(before.rings, after.rings)];
}

function nodeChanges(before: readonly ClusterNode[], after: readonly ClusterNode[]): readonly string[] {
  const members = before.filter(isMember);
  const gone = members
    .filter(({ id, state }) => state !== "gone" && !after.some((node) => node.id === id))
    .map(({ name }) => `${name} has left the cluster.`);
  const others = after.filter(isMember).flatMap((node) => {
    const was = members.find(({ id }) => id === node.id);
    return was?.state === node.state ? [] : stateChange(node, was === undefined);
  });
  return [...gone, ...others];
}

function stateChange({ name, state, reason }: ClusterNode, isNew: boolean): readonly string[] {
  if (state === "alive") return [isNew ? `${name} has joined the cluster.` : `${name} is back.`];
  if (state === "suspect") return [`${name} does not answer; it may be lost.`];
  if (state === "gone") return [withReason(`${name} is lost`, reason)];
  return [];
}

function ringChanges(before: readonly ClusterRing[], after: readonly ClusterRing[]): readonly string[] {
  const gone = before
    .filter(({ id }) => !after.some((ring) => ring.id === id))
    .map(({ model }) => `${model} is no longer loaded.`);
  const others = after.flatMap((ring) => {
    const was = before.find(({ id }) => id === ring.id);
    return was?.state === ring.state && was.epoch === ring.epoch ? [] : ringChange(ring);
  });
  return [...gone, ...others];
}

function ringChange({ model, state, reason, stages }: ClusterRing): readonly string[] {
  if (state === "failed") return [withReason(`${model} does not run`, reason)];
  if (state === "waiting") return [withReason(`${model} waits`, reason)];
  if (state === "ready") return [`${model} is ready on ${listed(stages.map(({ nodeName }) => nodeName))}.`];
  return [reason === null ? `${model} is being loaded.` : withReason(`${model} is being loaded`, reason)];
}

function withReason(what: string, reason: string | null): string {
  return reason === null || reason === "" ? `${what}.` : `${what}: ${reason}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? "no node";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}
