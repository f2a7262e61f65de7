import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BenchCase, SubjectSpec } from "../../benchmarks/cases/bench-case.js";
import { runCases } from "../../benchmarks/run-cases.js";
import { type Subject, Unavailable } from "../../benchmarks/subjects/subject.js";
import { SubjectPool } from "../../benchmarks/subjects/subject-pool.js";

const ONE: SubjectSpec = { kind: "llama.cpp", threads: "one" };
const ring = (nodes: number): SubjectSpec => ({ kind: "ring", nodes });

function caseOf(id: string, ...subjects: SubjectSpec[]): BenchCase {
  return { id, title: id, measure: { kind: "decode", streams: 1, tokens: 8 }, subjects, compared: "decode" };
}

/** Subjects that count what is asked of them; `measure` may throw. */
class Bench {
  readonly log: string[] = [];
  readonly pool: SubjectPool;
  readonly #measure: (name: string) => number;

  constructor(measure: (name: string) => number) {
    this.#measure = measure;
    this.pool = new SubjectPool(async (spec) => this.#open(nameOf(spec)));
  }

  run(cases: readonly BenchCase[], more: { repeats?: number; stop?: () => string | null } = {}) {
    return runCases({
      cases,
      pool: this.pool,
      repeats: more.repeats ?? 2,
      warmUp: true,
      cores: 2,
      aborted: () => false,
      stop: more.stop ?? (() => null),
      say: () => {},
    });
  }

  #open(name: string): Subject {
    if (name === "ring-9") throw new Unavailable("There is no ninth node.");
    this.log.push(`open ${name}`);
    return {
      warmUp: async () => {},
      measure: async (_, { warmUp }) => {
        this.log.push(`${warmUp ? "warm up" : "measure"} ${name}`);
        return { decode: this.#measure(name) };
      },
      settings: () => ({ chosen: name }),
      close: async () => void this.log.push(`close ${name}`),
    };
  }
}

function nameOf(spec: SubjectSpec): string {
  return spec.kind === "ring" ? `ring-${spec.nodes}` : spec.kind;
}

describe("a run of the benchmark", () => {
  test("measures every subject once per round, in turn, after a round that does not count", async () => {
    const bench = new Bench((name) => (name === "ring-2" ? 2 : 1));
    const [outcome] = await bench.run([caseOf("a", ONE, ring(2))]);
    assert.deepEqual(bench.log, [
      ...["open llama.cpp", "open ring-2"],
      ...["warm up llama.cpp", "warm up ring-2"],
      ...["measure llama.cpp", "measure ring-2"],
      ...["measure llama.cpp", "measure ring-2"],
      ...["close llama.cpp", "close ring-2"],
    ]);
    assert.deepEqual(
      outcome?.subjects.map(({ subject, samples, settings }) => ({ subject, samples, settings })),
      [
        { subject: "one", samples: { decode: [1, 1] }, settings: { chosen: "llama.cpp" } },
        { subject: "ring-2", samples: { decode: [2, 2] }, settings: { chosen: "ring-2" } },
      ],
    );
  });

  test("keeps a subject that the next case needs too", async () => {
    const bench = new Bench(() => 1);
    await bench.run([caseOf("a", ONE, ring(2)), caseOf("b", ring(2), ring(3))], { repeats: 1 });
    const opened = bench.log.filter((line) => /open|close/.test(line));
    assert.deepEqual(opened, [
      "open llama.cpp",
      "open ring-2",
      "close llama.cpp",
      "open ring-3",
      "close ring-2",
      "close ring-3",
    ]);
  });

  test("a subject that measuring spoils is started anew for every round", async () => {
    const bench = new Bench(() => 1);
    await bench.run([{ ...caseOf("a", ring(2)), spoils: true }]);
    const round = (name: string) => ["open ring-2", name, "close ring-2"];
    assert.deepEqual(bench.log, [...round("warm up ring-2"), ...round("measure ring-2"), ...round("measure ring-2")]);
  });

  test("a subject that fails is closed and reported; the others and the next case go on", async () => {
    let rings = 0;
    const bench = new Bench((name) => {
      if (name !== "ring-2") return 1;
      rings += 1;
      if (rings === 2) throw new Error("it broke");
      return 2;
    });
    const [first, second] = await bench.run([caseOf("a", ONE, ring(2)), caseOf("b", ring(2))]);
    assert.deepEqual(
      first?.subjects.map(({ samples, failure }) => ({ samples, failure })),
      [
        { samples: { decode: [1, 1] }, failure: null },
        { samples: {}, failure: "it broke" },
      ],
    );
    assert.deepEqual(second?.subjects[0]?.samples, { decode: [2, 2] });
    assert.equal(bench.log.filter((line) => line === "close ring-2").length, 2);
  });

  test("what cannot be had here is left out with its reason", async () => {
    const bench = new Bench(() => 1);
    const [outcome] = await bench.run([caseOf("a", ONE, ring(9))]);
    const [one, nine] = outcome?.subjects ?? [];
    assert.deepEqual(one?.samples, { decode: [1, 1] });
    assert.deepEqual([nine?.unavailable, nine?.failure, nine?.sharesCores], ["There is no ninth node.", null, true]);
  });

  test("when time is over, the cases that are left say so", async () => {
    const bench = new Bench(() => 1);
    let asked = 0;
    const stop = (): string | null => (asked++ > 0 ? "Out of time." : null);
    const outcomes = await bench.run([caseOf("a", ONE), caseOf("b", ONE)], { stop });
    assert.deepEqual(
      outcomes.map(({ id, skipped }) => ({ id, skipped })),
      [
        { id: "a", skipped: null },
        { id: "b", skipped: "Out of time." },
      ],
    );
  });
});
