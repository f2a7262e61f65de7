import { FEW_ROWS, type LayerSpeed, type ModelSpeed, type PassTime } from "../../planning/speeds.js";
import { rising } from "./assemble-speed.js";
import type { Observation } from "./predicted-work.js";

/** By how much real micro-batches are different from what the probe says. */
export interface Correction {
  /** Factor on layers in passes of few rows: the next tokens of streams. */
  readonly few: number;
  /** Factor on layers in passes of many rows: prompts. */
  readonly many: number;
  /** Factor on the output head. */
  readonly output: number;
  /** Seconds that every pass takes besides: threads that slept, data that is in no cache. */
  readonly perPass: number;
}

export const NO_CORRECTION: Correction = { few: 1, many: 1, output: 1, perPass: 0 };

/** Whatever is seen, the probe is not believed to be further off; beyond this, something else is wrong. */
const LEAST_FACTOR = 0.5;
const MOST_FACTOR = 3;
const MOST_PER_PASS = 0.002;
/** Part of the difference by which one observation moves the correction, and how many times too long or too short it counts at most. */
const WEIGHT = 0.3;
const MOST_OFF = 2;
/** How far off the parts of a prediction usually are: a factor as a part of one, and seconds for each pass. */
const USUAL_FACTOR = 0.25;
const USUAL_PER_PASS = 0.0015;

/**
 * The next correction. The difference between what a stage took and what was predicted is shared out among the parts of
 * the prediction by how much of it each may well be the reason for: of a stage of many layers their factor, of one layer
 * rather what every pass costs. So what was seen of a small stage is not held against every layer of a large one.
 */
export function nextCorrection(before: Correction, seen: Observation): Correction {
  const { predicted, layers, output, isFew } = seen;
  const measured = Math.min(predicted * MOST_OFF, Math.max(predicted / MOST_OFF, seen.measured));
  const difference = WEIGHT * (measured - predicted);
  const likely = {
    layers: (USUAL_FACTOR * layers) ** 2,
    output: (USUAL_FACTOR * output) ** 2,
    // A pass cannot take less than nothing besides.
    perPass: difference < 0 && before.perPass === 0 ? 0 : USUAL_PER_PASS ** 2,
  };
  const all = likely.layers + likely.output + likely.perPass;
  if (all === 0) return before;
  const factor = (now: number, seconds: number, share: number): number =>
    seconds <= 0 ? now : within(LEAST_FACTOR, now + (difference * share) / all / seconds, MOST_FACTOR);
  return {
    few: isFew ? factor(before.few, layers, likely.layers) : before.few,
    many: isFew ? before.many : factor(before.many, layers, likely.layers),
    output: factor(before.output, output, likely.output),
    perPass: within(0, before.perPass + (difference * likely.perPass) / all, MOST_PER_PASS),
  };
}

function within(least: number, value: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

export function corrected(speed: ModelSpeed, { few, many, output, perPass }: Correction): ModelSpeed {
  const layer = ({ passes, perCachedToken, perCachedTokenOfMany }: LayerSpeed): LayerSpeed => ({
    passes: rising(passes.map(({ rows, seconds }) => ({ rows, seconds: seconds * (rows <= FEW_ROWS ? few : many) }))),
    perCachedToken: perCachedToken * few,
    perCachedTokenOfMany: perCachedTokenOfMany * many,
  });
  const head = ({ rows, seconds }: PassTime): PassTime => ({ rows, seconds: seconds * output });
  return {
    kinds: speed.kinds.map(layer),
    kindOfLayer: speed.kindOfLayer,
    output: speed.output.map(head),
    perPass: speed.perPass + perPass,
  };
}
