import { passCosts } from "../../planning/pass-time.js";
import type { ModelSpeed } from "../../planning/speeds.js";
import type { RowClassWork } from "../work-by-rows.js";
import { FEW_ROWS, type Observation } from "./correction.js";

/** The part of a model that a stage computes; without layers it is the output head alone. */
export interface StagePart {
  readonly layerBegin: number;
  readonly layerEnd: number;
  readonly hasOutput: boolean;
}

/** What a stage took for micro-batches of few rows and of many, and what the probe says that it takes. */
export function observe(
  speed: ModelSpeed,
  part: StagePart,
  work: readonly RowClassWork[],
): { readonly few: Observation; readonly many: Observation } {
  const sums = { few: { measured: 0, predicted: 0 }, many: { measured: 0, predicted: 0 } };
  for (const one of work) {
    if (one.microBatches <= 0) continue;
    const group = one.rows / one.microBatches <= FEW_ROWS ? sums.few : sums.many;
    group.measured += one.computeSeconds;
    group.predicted += one.microBatches * passSecondsOf(speed, part, one);
  }
  return sums;
}

/** Of a micro-batch of the class's mean size. A stage with layers and output head samples a row of each stream, or of a prompt. */
function passSecondsOf(speed: ModelSpeed, part: StagePart, { microBatches, rows, cachedTokens }: RowClassWork): number {
  const { layerBegin, layerEnd, hasOutput } = part;
  const meanRows = rows / microBatches;
  const outputRows = layerBegin === layerEnd || meanRows <= FEW_ROWS ? meanRows : 1;
  const { upTo, fixed, output } = passCosts(speed, meanRows, cachedTokens / rows, outputRows);
  const layers = (upTo[layerEnd] ?? 0) - (upTo[layerBegin] ?? 0);
  return fixed + layers + (hasOutput ? output : 0);
}
