import { passCosts } from "../../planning/pass-time.js";
import { FEW_ROWS, type ModelSpeed } from "../../planning/speeds.js";
import type { ComputedPass } from "../pass-log.js";
import { type Correction, corrected } from "./correction.js";

/** The part of a model that a stage computes; without layers it is the output head alone. */
export interface StagePart {
  readonly layerBegin: number;
  readonly layerEnd: number;
  readonly hasOutput: boolean;
}

/** What a stage took for a pass, and what was predicted for that pass on that stage. Seconds. */
export interface Observation {
  readonly measured: number;
  /** By the probe, as corrected so far. */
  readonly predicted: number;
  /** By the probe alone: of the stage's layers, and of the output head if it has that. */
  readonly layers: number;
  readonly output: number;
  /** By the probe alone: of all layers of the model for the same pass, and of one token in the whole model. */
  readonly whole: number;
  readonly token: number;
  /** Of the next tokens of streams; else of a prompt. */
  readonly isFew: boolean;
}

/** Passes that took less together tell nothing. Seconds. */
const LEAST_SECONDS = 0.05;

/**
 * The typical pass of few rows and that of many among those that a stage computed: half of the others were further behind
 * the prediction, half less, so that those which something else disturbed do not count. None where too little was computed.
 */
export function observe(
  speed: ModelSpeed,
  correction: Correction,
  part: StagePart,
  passes: readonly ComputedPass[],
): readonly Observation[] {
  const known = corrected(speed, correction);
  return [true, false].flatMap((isFew) => {
    const group = passes.filter(({ rows }) => rows <= FEW_ROWS === isFew);
    if (group.reduce((sum, { seconds }) => sum + seconds, 0) < LEAST_SECONDS) return [];
    return typical(group.map((pass) => compared(speed, known, part, pass)));
  });
}

function typical(all: readonly Observation[]): readonly Observation[] {
  const usable = all.filter(({ predicted }) => predicted > 0);
  const ratio = ({ measured, predicted }: Observation): number => measured / predicted;
  const sorted = usable.toSorted((a, b) => ratio(a) - ratio(b));
  return sorted.slice(Math.floor((sorted.length - 1) / 2)).slice(0, 1);
}

function compared(speed: ModelSpeed, known: ModelSpeed, part: StagePart, pass: ComputedPass): Observation {
  const { layers, output, whole } = secondsOf(speed, part, pass);
  const predicted = secondsOf(known, part, pass);
  return {
    measured: pass.seconds,
    predicted: predicted.fixed + predicted.layers + predicted.output,
    layers,
    output,
    whole,
    token: tokenSeconds(speed),
    isFew: pass.rows <= FEW_ROWS,
  };
}

function secondsOf(speed: ModelSpeed, { layerBegin, layerEnd, hasOutput }: StagePart, pass: ComputedPass) {
  const { rows, cachedTokens, outputs } = pass;
  const { upTo, fixed, output } = passCosts(speed, rows, cachedTokens / rows, layerBegin === layerEnd ? rows : outputs);
  const layers = (upTo[layerEnd] ?? 0) - (upTo[layerBegin] ?? 0);
  return { fixed, layers, output: hasOutput ? output : 0, whole: upTo.at(-1) ?? 0 };
}

function tokenSeconds(speed: ModelSpeed): number {
  const { upTo, output } = passCosts(speed, 1, 0, 1);
  return (upTo.at(-1) ?? 0) + output;
}
