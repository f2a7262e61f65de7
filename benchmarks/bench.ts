import type { ResolvedModel } from "../src/model/resolved-model.js";
import type { BenchCase } from "./cases/bench-case.js";
import { CASES, contextOf, quickCases, slotsOf } from "./cases/catalogue.js";
import { machine, versions } from "./host/machine.js";
import { findPinning } from "./host/pinning.js";
import type { BenchOptions } from "./options.js";
import type { Outcome } from "./outcome.js";
import { peersDirectory } from "./peers/tools.js";
import { runCases } from "./run-cases.js";
import { openSubject, openWarm } from "./subjects/open-subject.js";
import type { SubjectContext } from "./subjects/subject.js";
import { SubjectPool } from "./subjects/subject-pool.js";

/** Pass sizes that peers try; the second is what `serve` takes as its largest. */
const UBATCHES = [128, 512];
const UBATCHES_QUICK = [128];
/** Milliseconds that one measurement may take. */
const TIMEOUT = 300_000;
const TIMEOUT_QUICK = 100_000;
/** Seconds after which `--quick` begins no further case: the longest of them takes about 25. */
const QUICK_SECONDS = 90;
/** Contexts are rounded up to this many tokens. */
const CONTEXT_STEP = 256;

const STOPPED = "The run was stopped.";

/**
 * Runs the cases; every subject is closed when it returns, whatever happened. Aborting the signal closes them at once, and
 * what was left to measure counts as failed or skipped.
 */
export async function bench(
  model: ResolvedModel,
  options: BenchOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  const { cases, quick, partial, timed, repeats } = options;
  const begun = performance.now();
  const startedAt = new Date().toISOString();
  const host = machine();
  const context = contextFor(model, options);
  const pool = new SubjectPool((spec) => (quick ? openWarm(spec, context) : openSubject(spec, context)));
  const stopAll = (): void => void pool.keepOnly([]);
  signal.addEventListener("abort", stopAll, { once: true });
  try {
    const outcomes = await runCases({
      cases,
      pool,
      repeats,
      warmUp: !quick,
      cores: context.pinning.cores.length,
      aborted: () => signal.aborted,
      stop: () => (signal.aborted ? STOPPED : outOfTime(timed)),
      say,
    });
    const { id, bytes, info } = model;
    return {
      version: 1,
      startedAt,
      seconds: (performance.now() - begun) / 1000,
      machine: host,
      versions: versions(),
      model: { id, bytes, quantisation: info.quantisation },
      settings: { repeats, quick, partial, contextSize: context.contextSize, slots: context.slots },
      cases: outcomes,
    };
  } finally {
    signal.removeEventListener("abort", stopAll);
    await pool.keepOnly([]);
  }
}

function contextFor(model: ResolvedModel, { cases, quick }: BenchOptions): SubjectContext {
  return {
    modelPath: model.path,
    ...ringSize(cases, quick, model.info.contextTrained),
    peersDirectory: peersDirectory(),
    ubatches: quick ? UBATCHES_QUICK : UBATCHES,
    pinning: findPinning(),
    timeout: quick ? TIMEOUT_QUICK : TIMEOUT,
  };
}

/**
 * What the largest of all cases needs, whichever were chosen: so a case that is repeated alone meets the same rings. A model
 * that was trained for less gets rings as large as it and the chosen cases allow.
 */
export function ringSize(
  chosen: readonly BenchCase[],
  quick: boolean,
  contextTrained: number,
): Pick<SubjectContext, "contextSize" | "slots"> {
  const all = quick ? quickCases(CASES) : CASES;
  const needed = (cases: readonly BenchCase[]): number =>
    Math.ceil(Math.max(...cases.map(contextOf)) / CONTEXT_STEP) * CONTEXT_STEP;
  return {
    contextSize: Math.max(needed(chosen), Math.min(needed(all), contextTrained)),
    slots: Math.max(...[...all, ...chosen].map(slotsOf)),
  };
}

/** Counted from the start of the process, so that building the peers is part of it. */
function outOfTime(timed: boolean): string | null {
  return timed && performance.now() / 1000 > QUICK_SECONDS
    ? `Out of time: --quick begins no case after ${QUICK_SECONDS} s.`
    : null;
}
