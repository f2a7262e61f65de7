import type { CaseOutcome, Outcome, SubjectOutcome } from "../../benchmarks/outcome.js";

export function subjectOutcome(
  subject: string,
  samples: Record<string, number[]>,
  more: Partial<SubjectOutcome> = {},
): SubjectOutcome {
  return {
    subject,
    label: `label of ${subject}`,
    settings: {},
    sharesCores: false,
    samples,
    unavailable: null,
    failure: null,
    ...more,
  };
}

export function caseOutcome(id: string, subjects: SubjectOutcome[], more: Partial<CaseOutcome> = {}): CaseOutcome {
  return { id, title: `title of ${id}`, compared: null, skipped: null, subjects, ...more };
}

/** A run of a model in Q4_0 on a machine of two cores. */
export function outcomeOf(...cases: CaseOutcome[]): Outcome {
  return {
    version: 1,
    startedAt: "2026-01-02T03:04:05.000Z",
    seconds: 90,
    machine: {
      processor: "A Processor",
      cores: 2,
      processors: 4,
      memoryBytes: 8 * 1024 ** 3,
      system: "Linux 6",
      pinned: true,
      loadAverage: 0.1,
    },
    versions: { exoNative: "1.2.3", node: "v20.0.0", llamaCpp: "b1", ggml: "prebuilt" },
    model: { id: "some-model", quantisation: "Q4_0", bytes: 1024 ** 3 },
    settings: { repeats: 3, quick: false, partial: false, contextSize: 512, slots: 4 },
    cases,
  };
}
