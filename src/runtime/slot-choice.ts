/** An idle or busy slot as a new prompt sees it; lengths in tokens. */
export interface SlotView {
  readonly sequence: number;
  readonly idle: boolean;
  readonly cached: number;
  /** How many of them, from the first on, the prompt begins with and may reuse. */
  readonly common: number;
  /** How many jobs were given a slot since this one was used last; at least 1. */
  readonly age: number;
}

export interface SlotChoice {
  readonly sequence: number;
  /** Tokens of the prompt that need not be computed. */
  readonly reused: number;
  /** The sequence whose tokens are copied first; `null`: the slot holds them itself. */
  readonly copyFrom: number | null;
}

export interface ChoiceRules {
  /** Part of a sequence can be forgotten; else a sequence is reused only if the prompt begins with all of it. */
  readonly canTrim: boolean;
  /** Tokens that could be computed in the time of a copy. */
  readonly copyCost: number;
}

/**
 * The idle slot for a prompt: the one with which most is gained. What is gained is tokens that need not be computed; what
 * is lost is tokens that the slot must forget, and they weigh the less the longer nobody asked for them. So an empty slot
 * goes before a full one, a short leftover before a long one, and of two alike the one that was unused for longer.
 */
export function chooseSlot(slots: readonly SlotView[], rules: ChoiceRules): SlotChoice | null {
  const usable = (slot: SlotView): number => (rules.canTrim || slot.common === slot.cached ? slot.common : 0);
  const sources = slots.toSorted((a, b) => usable(b) - usable(a)).slice(0, 2);
  let best: { readonly choice: SlotChoice; readonly gain: number; readonly age: number } | null = null;
  for (const slot of slots) {
    if (!slot.idle) continue;
    const own = usable(slot);
    const source = sources.find((other) => other !== slot);
    const copied = source === undefined ? 0 : usable(source) - rules.copyCost;
    const from = source !== undefined && copied > own ? source : null;
    const lost = (slot.cached - own) / slot.age;
    const gain = Math.max(own, copied) - lost;
    if (best !== null && (gain < best.gain || (gain === best.gain && slot.age <= best.age))) continue;
    const reused = from === null ? own : usable(from);
    best = { choice: { sequence: slot.sequence, reused, copyFrom: from?.sequence ?? null }, gain, age: slot.age };
  }
  return best?.choice ?? null;
}
