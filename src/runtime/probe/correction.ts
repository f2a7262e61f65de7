import type { LayerSpeed, ModelSpeed, PassTime } from "../../planning/speeds.js";
import { rising } from "./assemble-speed.js";

/** How much longer real micro-batches took than the probe says: 1 is as it says. */
export interface Correction {
  /** Of few rows: the next tokens of streams. */
  readonly few: number;
  /** Of many rows: prompts. */
  readonly many: number;
}

export const NO_CORRECTION: Correction = { few: 1, many: 1 };

/** Most rows that count as few. */
export const FEW_ROWS = 16;

/** Whatever is seen, the probe is not believed to be further off; beyond this, something else is wrong. */
const LEAST = 0.5;
const MOST = 3;
/** Share that a new observation has. */
const WEIGHT = 0.3;
/** Seconds of computing below which nothing can be told. */
const LEAST_SECONDS = 0.05;

/** What a stage took, and what the probe said of it; seconds. */
export interface Observation {
  readonly measured: number;
  readonly predicted: number;
}

/** The next value of a factor. */
export function nextFactor(factor: number, { measured, predicted }: Observation): number {
  if (measured < LEAST_SECONDS || predicted <= 0) return factor;
  const seen = Math.min(MOST, Math.max(LEAST, measured / predicted));
  return factor + WEIGHT * (seen - factor);
}

export function corrected(speed: ModelSpeed, { few, many }: Correction): ModelSpeed {
  const passes = (list: readonly PassTime[]): readonly PassTime[] =>
    rising(list.map(({ rows, seconds }) => ({ rows, seconds: seconds * (rows <= FEW_ROWS ? few : many) })));
  const layer = ({ passes: list, perCachedToken }: LayerSpeed): LayerSpeed => ({
    passes: passes(list),
    perCachedToken: perCachedToken * few,
  });
  return {
    kinds: speed.kinds.map(layer),
    kindOfLayer: speed.kindOfLayer,
    output: passes(speed.output),
    perPass: speed.perPass * few,
  };
}
