import type { NodeHello } from "../transport/node-service.js";
import { copiedIdentity } from "./membership/copied-identity.js";

/** Clocks that are further apart make certificates and times of one node wrong at the other. Milliseconds. */
export const MOST_CLOCK_SKEW_MS = 5 * 60_000;

/** Whether a node talks to itself: the same process, not a copy with the same id. */
export function isSelf(own: NodeHello, peer: NodeHello): boolean {
  return own.nodeId === peer.nodeId && own.instance === peer.instance;
}

/**
 * Why a node of the same release and cluster cannot be used, as a sentence; `null` when it can.
 *
 * @param own this node at the time of the peer's hello
 * @param at where the peer was asked, or called from
 */
export function whyUnfit(own: NodeHello, peer: NodeHello, at: string): string | null {
  if (isSelf(own, peer)) return `${at} is this node itself.`;
  if (own.nodeId === peer.nodeId) return copiedIdentity(own.nodeId, "this node", `${peer.name} at ${at}`);
  const skew = peer.timeMs - own.timeMs;
  if (Math.abs(skew) <= MOST_CLOCK_SKEW_MS) return null;
  const direction = skew > 0 ? "ahead of" : "behind";
  return `The clock of ${peer.name} at ${at} is ${duration(Math.abs(skew))} ${direction} this node's. Set both by the network (NTP).`;
}

/** In the two units that say enough: `2 days 3 hours`, `7 minutes`. */
function duration(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000);
  const parts = [
    [Math.floor(minutes / 1440), "day"],
    [Math.floor(minutes / 60) % 24, "hour"],
    [minutes % 60, "minute"],
  ] as const;
  const told = parts.filter(([count]) => count > 0).slice(0, 2);
  return told.map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`).join(" ");
}
