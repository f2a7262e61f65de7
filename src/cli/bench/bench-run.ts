import { ExoError } from "../../core/errors.js";
import type { BenchCase, BenchSample } from "./bench-cases.js";

export interface BenchRunOptions {
  readonly cases: readonly BenchCase[];
  /** How often each case is measured, if there is time. */
  readonly rounds: number;
  /** Milliseconds for everything. */
  readonly budgetMs: number;
  /** Aborts what is under way when the time is up; given apart, for it needs a timer. */
  readonly timeUp: AbortSignal;
  /** Asked for by the user. */
  readonly stop: AbortSignal;
  readonly now: () => number;
  readonly onCase: (label: string, round: number) => void;
}

export interface BenchRun {
  readonly samples: readonly BenchSample[];
  /** Labels of cases that were never measured: there was no time for them. */
  readonly leftOut: readonly string[];
  /** What ended the run early; `null` when it came to its end or its time was up. */
  readonly failure: ExoError | null;
  readonly seconds: number;
}

/**
 * Measures the cases in turn, round after round, so that a machine whose speed drifts slows all alike. What took longer
 * last time, or is expected to take longer, than is left now is not begun. A failure ends the run and keeps what was found before it.
 */
export async function runBench(options: BenchRunOptions): Promise<BenchRun> {
  const { cases, rounds, budgetMs, timeUp, stop, now, onCase } = options;
  const begunAt = now();
  const left = (): number => budgetMs - (now() - begunAt);
  const samples: BenchSample[] = [];
  const took = new Map<BenchCase, number>();
  const end = (failure: ExoError | null): BenchRun => ({
    samples,
    leftOut: cases.filter((one) => !took.has(one)).map((one) => one.label),
    failure,
    seconds: (now() - begunAt) / 1000,
  });
  for (let round = 1; round <= rounds; round += 1) {
    for (const one of cases) {
      if (stop.aborted) return end(stopped());
      if (timeUp.aborted) return end(null);
      if ((took.get(one) ?? one.expectedMs(samples)) > left()) continue;
      onCase(one.label, round);
      const caseAt = now();
      try {
        samples.push(await one.run(AbortSignal.any([stop, timeUp])));
      } catch (thrown) {
        if (stop.aborted) return end(stopped());
        if (timeUp.aborted) return end(null);
        return end(whileMeasuring(one, thrown));
      }
      took.set(one, now() - caseAt);
    }
  }
  return end(null);
}

function stopped(): ExoError {
  return new ExoError("cancelled", "Stopped before everything was measured.");
}

function whileMeasuring({ label }: BenchCase, thrown: unknown): ExoError {
  const error = ExoError.from(thrown);
  return new ExoError(error.code, `${error.message} (while measuring ${label})`, { cause: thrown });
}
