import type { Measure } from "../cases/bench-case.js";
import type { Figures } from "../figures.js";
import type { Pinning } from "../host/pinning.js";

/** One way to run the model, ready to be measured. */
export interface Subject {
  /** Touches the weights and wakes the threads, in a second or so. */
  warmUp(): Promise<void>;
  /** Measures once. `warmUp`: the figures are not used, so it may be the time to try settings. */
  measure(measure: Measure, round: { readonly warmUp: boolean }): Promise<Figures>;
  /** Settings that the subject chose for itself, for the report. */
  settings(): Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** What every subject needs to know. */
export interface SubjectContext {
  readonly modelPath: string;
  /** Tokens of context per sequence, and sequences at once. */
  readonly contextSize: number;
  readonly slots: number;
  /** Directory of the peers' executables. */
  readonly peersDirectory: string;
  /** Sizes of a peer's compute pass that are tried in the warm-up round; the best is used. */
  readonly ubatches: readonly number[];
  readonly pinning: Pinning;
  /** Milliseconds that one measurement may take. */
  readonly timeout: number;
}

/** A subject or a measurement that is not possible here, and why: a sentence. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

export function cannotMeasure(subject: string, measure: Measure): Unavailable {
  return new Unavailable(`${subject} cannot measure ${measure.kind}.`);
}
