import type { RingBatchBuilder } from "./micro-batch.js";
import type { Slot } from "./slot.js";

/** What a slot does that has no room for the next token: end the answer, or forget the oldest tokens but the first. */
export type ContextFull = "stop" | "shift";

/** Models lean on the first few tokens whatever they are; without them the text falls apart ("attention sinks"). */
const LEAST_KEPT = 4;
const MOST_KEPT = 3 / 4;

/**
 * Makes room in a full slot: half of what follows the kept tokens goes, and the rest moves up. Every stage turns the
 * positions of its cached keys accordingly. Returns how many tokens went.
 */
export function shiftContext(builder: RingBatchBuilder, slot: Slot, keepTokens: number): number {
  const { sequence, cached } = slot;
  const { keep, drop } = shiftOf(cached.length, keepTokens);
  builder.addKvOperation({ op: "remove", sequence, from: keep, to: keep + drop });
  builder.addKvOperation({ op: "add", sequence, from: keep + drop, to: null, delta: -drop });
  cached.shift(keep, drop);
  return drop;
}

/** How much of `length` tokens stays at the front, and how much goes behind that. */
export function shiftOf(length: number, keepTokens: number): { readonly keep: number; readonly drop: number } {
  const most = Math.floor(length * MOST_KEPT);
  const keep = Math.min(Math.max(keepTokens, LEAST_KEPT), most);
  return { keep, drop: Math.ceil((length - keep) / 2) };
}
