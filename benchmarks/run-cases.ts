import { type BenchCase, type SubjectSpec, subjectId, subjectLabel } from "./cases/bench-case.js";
import { type Figures, formatFigure, isFigureName } from "./figures.js";
import type { CaseOutcome, SubjectOutcome } from "./outcome.js";
import { Unavailable } from "./subjects/subject.js";
import type { SubjectPool } from "./subjects/subject-pool.js";

export interface RunOptions {
  readonly cases: readonly BenchCase[];
  readonly pool: SubjectPool;
  /** Rounds that count. */
  readonly repeats: number;
  /** Run each subject once before, without counting it. */
  readonly warmUp: boolean;
  readonly cores: number;
  /** Measure nothing more, not even in this case. */
  readonly aborted: () => boolean;
  /** Why no further case may begin (a sentence), or `null`. */
  readonly stop: () => string | null;
  readonly say: (line: string) => void;
}

/** One subject of a case, in the making. */
interface Entry {
  readonly spec: SubjectSpec;
  readonly samples: Record<string, number[]>;
  settings: Readonly<Record<string, string>>;
  unavailable: string | null;
  failure: string | null;
}

/**
 * Runs the cases one after the other. In each, every subject is measured once per round, in turn, so that a machine whose
 * speed drifts slows all alike. What fails is noted and left out from then on; the rest goes on.
 */
export async function runCases(options: RunOptions): Promise<CaseOutcome[]> {
  const outcomes: CaseOutcome[] = [];
  for (const [index, one] of options.cases.entries()) {
    const skipped = options.stop();
    options.say(`\n${one.title} (${one.id})${skipped === null ? "" : `: ${skipped}`}`);
    const entries = one.subjects.map(newEntry);
    if (skipped === null) {
      await runCase(one, entries, options);
      const next = options.cases[index + 1]?.subjects ?? [];
      await options.pool.keepOnly(next.map(subjectId));
    }
    outcomes.push(toOutcome(one, entries, skipped, options.cores));
  }
  return outcomes;
}

async function runCase(one: BenchCase, entries: readonly Entry[], options: RunOptions): Promise<void> {
  for (const entry of entries) await attempt(entry, async () => void (await options.pool.open(entry.spec)), options);
  const rounds = options.repeats + (options.warmUp ? 1 : 0);
  for (let round = 0; round < rounds; round += 1) {
    const warmUp = options.warmUp && round === 0;
    const name = warmUp ? "warm-up" : `round ${round + (options.warmUp ? 0 : 1)}`;
    for (const entry of entries) {
      await attempt(entry, () => measureOnce(one, entry, warmUp, name, options), options);
    }
  }
}

async function measureOnce(
  { measure, spoils = false }: BenchCase,
  entry: Entry,
  warmUp: boolean,
  round: string,
  { pool, say }: RunOptions,
): Promise<void> {
  const subject = await pool.open(entry.spec);
  const figures = await subject.measure(measure, { warmUp });
  say(`  ${round}  ${subjectLabel(entry.spec)}: ${describe(figures)}`);
  entry.settings = subject.settings();
  if (spoils) await pool.close(subjectId(entry.spec));
  if (warmUp) return;
  for (const [figure, value] of Object.entries(figures)) {
    entry.samples[figure] = [...(entry.samples[figure] ?? []), value];
  }
}

/** A subject that failed may be in any state: it is closed, and left alone in this case. */
async function attempt(entry: Entry, work: () => Promise<void>, options: RunOptions): Promise<void> {
  const { pool, say } = options;
  if (entry.unavailable !== null || entry.failure !== null || options.aborted()) return;
  try {
    await work();
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (thrown instanceof Unavailable) entry.unavailable = message;
    else entry.failure = message;
    say(`  ${subjectLabel(entry.spec)}: ${entry.failure === null ? "left out" : "FAILED"}: ${message}`);
    await pool.close(subjectId(entry.spec));
  }
}

function newEntry(spec: SubjectSpec): Entry {
  return { spec, samples: {}, settings: {}, unavailable: null, failure: null };
}

function toOutcome(
  { id, title, compared }: BenchCase,
  entries: readonly Entry[],
  skipped: string | null,
  cores: number,
): CaseOutcome {
  const subjects = entries.map(
    ({ spec, samples, settings, unavailable, failure }): SubjectOutcome => ({
      subject: subjectId(spec),
      label: subjectLabel(spec),
      settings,
      sharesCores: processesOf(spec) > cores,
      samples,
      unavailable,
      failure,
    }),
  );
  return { id, title, compared: compared ?? null, skipped, subjects };
}

function processesOf(spec: SubjectSpec): number {
  if (spec.kind === "ring") return spec.nodes;
  return spec.kind === "rpc" ? spec.servers : 1;
}

function describe(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => (isFigureName(name) ? formatFigure(name, value) : String(value)))
    .join(", ");
}
