import { z } from "zod";
import { baselineOf } from "./cases/catalogue.js";

const subjectOutcome = z.object({
  /** Id, the same in every run. */
  subject: z.string(),
  label: z.string(),
  /** Settings that the subject chose for itself. */
  settings: z.record(z.string(), z.string()),
  /** Nodes or servers shared processors, because there were too few. */
  sharesCores: z.boolean(),
  /** Figure → one number for each round that counts. */
  samples: z.record(z.string(), z.array(z.number())),
  /** Why there are no (more) samples, a sentence, or `null`. */
  unavailable: z.string().nullable(),
  failure: z.string().nullable(),
});

const caseOutcome = z.object({
  id: z.string(),
  title: z.string(),
  /** What ratios are taken of, or `null`. */
  compared: z.string().nullable(),
  /** Why it did not run, a sentence, or `null`. */
  skipped: z.string().nullable(),
  subjects: z.array(subjectOutcome),
});

export const outcomeSchema = z.object({
  /** Of this file's shape. */
  version: z.literal(1),
  startedAt: z.string(),
  seconds: z.number(),
  machine: z.object({
    processor: z.string(),
    /** Physical ones that the run could use, and what the system calls processors. */
    cores: z.int(),
    processors: z.int(),
    memoryBytes: z.number(),
    system: z.string(),
    pinned: z.boolean(),
    /** Of the minute before the run. */
    loadAverage: z.number(),
  }),
  versions: z.object({ exoNative: z.string(), node: z.string(), llamaCpp: z.string(), ggml: z.string() }),
  model: z.object({ id: z.string(), quantisation: z.string(), bytes: z.number() }),
  settings: z.object({
    repeats: z.int(),
    quick: z.boolean(),
    /** Some cases or subjects only. */
    partial: z.boolean().default(false),
    contextSize: z.int(),
    slots: z.int(),
  }),
  cases: z.array(caseOutcome),
});

/** Everything that a run found, as its JSON file holds it. */
export type Outcome = z.infer<typeof outcomeSchema>;
export type CaseOutcome = z.infer<typeof caseOutcome>;
export type SubjectOutcome = z.infer<typeof subjectOutcome>;

/** Samples of a figure; none where it was not measured. */
export function samplesOf(outcome: Outcome, caseId: string, subjectId: string, figure: string): readonly number[] {
  return findSubject(outcome, caseId, subjectId)?.samples[figure] ?? [];
}

/** What a subject's ratio is taken to: nothing where the case compares nothing, or where that subject was not measured. */
export function referenceOf(
  { id, subjects }: CaseOutcome,
  { subject }: SubjectOutcome,
  figure: string,
): readonly number[] {
  const baseline = baselineOf(id);
  if (subject === baseline) return [];
  return subjects.find((other) => other.subject === baseline)?.samples[figure] ?? [];
}

export function findSubject(outcome: Outcome, caseId: string, subjectId: string): SubjectOutcome | null {
  const one = outcome.cases.find(({ id }) => id === caseId);
  return one?.subjects.find(({ subject }) => subject === subjectId) ?? null;
}
