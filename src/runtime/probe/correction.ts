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
  /** Looks in a row at large stages that found the probe far off: above 0 too short, below 0 too long. */
  readonly agreed: { readonly few: number; readonly many: number };
}

export const NO_CORRECTION: Correction = { few: 1, many: 1, output: 1, perPass: 0, agreed: { few: 0, many: 0 } };

interface Bounds {
  readonly least: number;
  readonly most: number;
}

/** What a stage takes depends on the ring it is in, so a factor that was learned in one is believed so far for others. */
const BELIEVED: Bounds = { least: 0.85, most: 1.2 };
/** The same after many looks at large stages that agree; beyond this, something else is wrong. */
const CONFIRMED: Bounds = { least: 0.5, most: 3 };
const LOOKS_TO_CONFIRM = 18;
/** A stage that computes this part of all layers' time speaks for all layers. */
const LARGE = 0.5;
/** Further off than what the ring around a stage may be the reason for: factors, and seconds of each pass. */
const FAR_OFF: Bounds = { least: 0.8, most: 1.25 };
const FAR_OFF_SECONDS = 0.001;
/** Seconds, and as a part of one token in the whole model. */
const MOST_PER_PASS = 0.0005;
const MOST_PER_PASS_PART = 0.02;
/** Part of the difference by which one observation moves the correction, and how many times too long or too short it counts at most. */
const WEIGHT = 0.3;
const MOST_OFF = 2;
/** How far off the parts of a prediction usually are: a factor as a part of one, and seconds for each pass. */
const USUAL_FACTOR = 0.25;
const USUAL_PER_PASS = 0.0015;

/**
 * The next correction. The difference between what a stage took and what was predicted is shared out among the parts of
 * the prediction by how much of it each may well be the reason for: of a stage of many layers their factor, of one layer
 * rather what every pass costs. The smaller a stage is, the less it moves, and the less far: what was seen of a small
 * stage is not held against every layer of a large one.
 */
export function nextCorrection(before: Correction, seen: Observation): Correction {
  const { layers, output, isFew } = seen;
  const agreed = isFew
    ? { ...before.agreed, few: nextAgreed(before.agreed.few, seen) }
    : { ...before.agreed, many: nextAgreed(before.agreed.many, seen) };
  const move = movesOf(before, seen);
  const bounds = layerBounds(seen, isFew ? agreed.few : agreed.many);
  return {
    few: isFew ? moved(before.few, move.layers, layers, bounds) : before.few,
    many: isFew ? before.many : moved(before.many, move.layers, layers, bounds),
    output: moved(before.output, move.output, output, BELIEVED),
    perPass: within(0, before.perPass + move.perPass, Math.min(MOST_PER_PASS, MOST_PER_PASS_PART * seen.token)),
    agreed,
  };
}

/** Seconds by which each part of the prediction changes for this stage. */
function movesOf(before: Correction, { predicted, layers, output, whole, ...seen }: Observation) {
  const measured = Math.min(predicted * MOST_OFF, Math.max(predicted / MOST_OFF, seen.measured));
  const size = Math.min(1, (layers + output) / (LARGE * Math.max(whole, Number.MIN_VALUE)));
  const difference = WEIGHT * size * (measured - predicted);
  const likely = {
    layers: (USUAL_FACTOR * layers) ** 2,
    output: (USUAL_FACTOR * output) ** 2,
    // A pass cannot take less than nothing besides.
    perPass: difference < 0 && before.perPass === 0 ? 0 : USUAL_PER_PASS ** 2,
  };
  const all = likely.layers + likely.output + likely.perPass;
  const share = (part: number): number => (all === 0 ? 0 : (difference * part) / all);
  return { layers: share(likely.layers), output: share(likely.output), perPass: share(likely.perPass) };
}

/** Small stages have no say. */
function nextAgreed(agreed: number, { measured, layers, output, whole }: Observation): number {
  if (layers < LARGE * whole) return agreed;
  const probed = layers + output;
  if (measured > FAR_OFF.most * probed + FAR_OFF_SECONDS) return Math.min(LOOKS_TO_CONFIRM, Math.max(0, agreed) + 1);
  if (measured < FAR_OFF.least * probed) return Math.max(-LOOKS_TO_CONFIRM, Math.min(0, agreed) - 1);
  return 0;
}

/** How far a stage of this size may move the factor of all layers. */
function layerBounds({ layers, whole }: Observation, agreed: number): Bounds {
  const size = Math.min(1, layers / (LARGE * Math.max(whole, Number.MIN_VALUE)));
  if (size === 1 && Math.abs(agreed) === LOOKS_TO_CONFIRM) return CONFIRMED;
  return { least: 1 - (1 - BELIEVED.least) * size, most: 1 + (BELIEVED.most - 1) * size };
}

/** A factor that others moved further stays, and may come back. */
function moved(now: number, seconds: number, probed: number, { least, most }: Bounds): number {
  return probed <= 0 ? now : within(Math.min(now, least), now + seconds / probed, Math.max(now, most));
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
