import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BenchCase, type BenchSample, benchCases } from "../../src/cli/bench/bench-cases.js";
import { benchReport } from "../../src/cli/bench/bench-report.js";
import { type BenchRunOptions, runBench } from "../../src/cli/bench/bench-run.js";
import { benchTable } from "../../src/cli/bench/bench-table.js";
import { PromptMaker, passagesFrom } from "../../src/cli/bench/prompt-maker.js";
import { measuredSpread } from "../../src/cli/bench/spread.js";
import { workBetween } from "../../src/cli/bench/stage-work.js";
import type { ChatPiece } from "../../src/cli/node-client/chat-stream.js";
import { clusterDocument } from "../../src/cli/node-client/cluster-document.js";
import { type CompletionRequest, NodeClient } from "../../src/cli/node-client/node-client.js";
import { plainPaint } from "../../src/cli/terminal/paint.js";
import { ExoError } from "../../src/core/errors.js";
import { twoNodeCluster } from "./cli-sample-cluster.js";

const never = new AbortController().signal;

test("numbers of repeated measurements: their spread beside them; none of none", () => {
  assert.deepEqual(measuredSpread([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4, samples: [4, 1, 2, 3] });
  assert.equal(measuredSpread([]), null);
});

describe("prompts", () => {
  /** One token per word. */
  const client = { tokenize: async (_: string, text: string) => text.split(/\s+/).map((_word, index) => index) };

  test("have the wanted length, however long, and begin differently", async () => {
    const asked: string[] = [];
    const spy = {
      tokenize: (model: string, text: string) => {
        asked.push(text);
        return client.tokenize(model, text);
      },
    };
    const maker = new PromptMaker(spy, "m");
    for (const tokens of [1, 128, 2048]) assert.equal((await maker.make(tokens, never)).length, tokens);
    assert.equal(new Set(asked.map((text) => text.slice(0, 40))).size, 3);
    assert.ok(passagesFrom(15, 10_000).length >= 10_000);
  });

  test("of a vocabulary whose tokens are longer than words are refused with a sentence", async () => {
    const maker = new PromptMaker({ tokenize: async () => [1] }, "m");
    await assert.rejects(maker.make(100, never), /only 1 tokens of this model; 100 were needed/);
  });
});

/** A clock that only moves when told, and cases that move it. */
class Bench {
  time = 0;
  readonly ran: string[] = [];

  case(label: string, takesMs: number, expectedMs = 0): BenchCase {
    return {
      label,
      expectedMs: () => expectedMs,
      run: async () => {
        this.ran.push(label);
        this.time += takesMs;
        return { kind: "decode", tokensPerSecond: 1000 / takesMs, gaps: [] };
      },
    };
  }

  run(cases: readonly BenchCase[], options: Partial<BenchRunOptions> = {}) {
    const fixed = { rounds: 3, budgetMs: 1e6, timeUp: never, stop: never, now: () => this.time, onCase: () => {} };
    return runBench({ cases, ...fixed, ...options });
  }
}

describe("a run", () => {
  test("goes round the cases as often as asked", async () => {
    const bench = new Bench();
    const run = await bench.run([bench.case("a", 10), bench.case("b", 20)]);
    assert.deepEqual(bench.ran, ["a", "b", "a", "b", "a", "b"]);
    assert.equal(run.seconds, 0.09);
    assert.deepEqual(run.leftOut, []);
  });

  test("does not begin again what took longer than there is left, nor begin what is expected to", async () => {
    const bench = new Bench();
    const cases = [bench.case("long", 60), bench.case("short", 10), bench.case("endless", 1, 1000)];
    const run = await bench.run(cases, { budgetMs: 100 });
    assert.deepEqual(bench.ran, ["long", "short", "short", "short"]);
    assert.deepEqual(run.leftOut, ["endless"]);
    assert.equal(run.failure, null);
  });

  test("keeps what was found before a failure, and names what failed", async () => {
    const bench = new Bench();
    const broken: BenchCase = {
      label: "the rest",
      expectedMs: () => 0,
      run: () => Promise.reject(new ExoError("stage_lost", "The node went away.")),
    };
    const run = await bench.run([bench.case("a", 10), broken, bench.case("b", 10)]);
    assert.equal(run.samples.length, 1);
    assert.equal(run.failure?.code, "stage_lost");
    assert.equal(run.failure?.message, "The node went away. (while measuring the rest)");
    assert.deepEqual(run.leftOut, ["the rest", "b"]);
  });

  test("ends when it is stopped, or when its time is up in the middle of a case", async () => {
    for (const which of ["stop", "timeUp"] as const) {
      const bench = new Bench();
      const abort = new AbortController();
      const hanging: BenchCase = {
        label: "hanging",
        expectedMs: () => 0,
        run: (signal) => {
          abort.abort();
          return Promise.reject(signal.reason);
        },
      };
      const run = await bench.run([bench.case("a", 10), hanging, bench.case("b", 10)], { [which]: abort.signal });
      assert.deepEqual(bench.ran, ["a"]);
      assert.equal(run.failure?.code ?? null, which === "stop" ? "cancelled" : null);
    }
  });
});

describe("cases", () => {
  /** Answers at once: 100 tokens of prompt take a second, each token of an answer takes 10 ms. */
  function setting(contextSize: number, slots: number) {
    let time = 0;
    const asked: CompletionRequest[] = [];
    return {
      asked,
      contextSize,
      slots,
      model: "m",
      now: () => time,
      prompts: { make: async (tokens: number) => Array.from({ length: tokens }, (_, index) => index) },
      client: {
        async *complete(request: CompletionRequest): AsyncGenerator<ChatPiece, void, void> {
          asked.push(request);
          const promptTokens = request.prompt.length;
          const answerTokens = Number(request.max_tokens);
          const cachedTokens = request.cache_prompt === true ? promptTokens - 1 : 0;
          const prefillSeconds = (promptTokens - cachedTokens) / 100;
          time += prefillSeconds * 1000;
          for (let token = 0; token < answerTokens; token += 1) {
            if (token > 0) time += 10;
            yield { type: "text", text: "a" };
          }
          const tokensPerSecond = answerTokens > 1 ? answerTokens / ((answerTokens - 1) * 0.01) : 0;
          const numbers = { promptTokens, cachedTokens, answerTokens, prefillSeconds, tokensPerSecond };
          yield { type: "end", finishReason: "length", numbers };
        },
      },
    };
  }

  test("are bounded by the context and the slots", () => {
    const labels = (context: number, slots: number) => benchCases(setting(context, slots)).map(({ label }) => label);
    assert.equal(labels(4096, 8).filter((label) => label.includes("speed of a prompt")).length, 3);
    assert.ok(labels(4096, 8).includes("8 answers at once"));
    assert.ok(!labels(4096, 2).includes("4 answers at once"));
    assert.deepEqual(
      labels(100, 1).filter((label) => label.includes("speed of a prompt")),
      ["the speed of a prompt of 99 tokens"],
    );
  });

  test("find the speeds, and never ask for more than the context holds", async () => {
    for (const contextSize of [16, 100, 600, 4096]) {
      const under = setting(contextSize, 1);
      const samples: BenchSample[] = [];
      for (const one of benchCases(under)) samples.push(await one.run(never));
      for (const request of under.asked) {
        assert.ok(request.prompt.length > 0);
        assert.equal(request.speculation, false);
        assert.ok(
          request.prompt.length + Number(request.max_tokens) <= contextSize,
          JSON.stringify(request.max_tokens),
        );
      }
      for (const sample of samples) {
        if (sample.kind === "prompt") assert.ok(Math.abs(sample.tokensPerSecond - 100) < 1e-6);
        if (sample.kind === "decode") assert.ok(Math.abs(sample.tokensPerSecond - 100) < 1e-6);
        if (sample.kind === "decode") for (const gap of sample.gaps) assert.ok(Math.abs(gap - 0.01) < 1e-9);
        if (sample.kind === "repeat") assert.ok(sample.warmSeconds <= sample.coldSeconds);
      }
    }
  });

  test("longer prompts are expected to take in proportion", () => {
    const [, , , , long] = benchCases(setting(4096, 1));
    const measured: BenchSample = { kind: "prompt", tokens: 128, tokensPerSecond: 64, firstSeconds: 2 };
    assert.equal(long?.expectedMs([]), 0);
    assert.equal(long?.expectedMs([measured]), 8000);
  });
});

describe("what the stages did meanwhile", () => {
  const at = (seconds: readonly (number | null)[], epoch = 1) => {
    const sample = twoNodeCluster({ epoch, hops: { samples: 9, p50_ms: 0.5, p99_ms: 2 } });
    const nodes = sample.nodes.map((node, index) => {
      const computed = seconds[index] ?? null;
      const work = computed === null ? {} : { work: { compute_seconds: computed } };
      return { ...node, stages: [{ ring_id: "kx83ab2q", epoch, ...work }] };
    });
    return clusterDocument.parse({ ...sample, nodes });
  };
  const between = (before: ReturnType<typeof at>, after: ReturnType<typeof at>) => {
    const [ring] = before.rings;
    assert.ok(ring !== undefined);
    return workBetween(before, after, ring);
  };

  test("is the difference of two looks", () => {
    const { computeSeconds, hops } = between(at([10, 20]), at([13, 21]));
    assert.deepEqual(computeSeconds, [3, 1]);
    assert.equal(hops?.p50_ms, 0.5);
  });

  test("is unknown where a node does not tell, or the ring was placed anew", () => {
    assert.deepEqual(between(at([10, null]), at([13, null])).computeSeconds, [3, null]);
    assert.deepEqual(between(at([10, 20]), at([13, 1])).computeSeconds, [3, null]);
    assert.deepEqual(between(at([10, 20]), at([13, 21], 2)), { computeSeconds: [null, null], hops: null });
    const plain = clusterDocument.parse(twoNodeCluster());
    assert.deepEqual(between(plain, plain), { computeSeconds: [null, null], hops: null });
  });
});

describe("the report", () => {
  const cluster = clusterDocument.parse(twoNodeCluster());
  const [ring] = cluster.rings;
  assert.ok(ring !== undefined);
  const client = new NodeClient(new URL("http://127.0.0.1:1"), null);
  const model = {
    id: "tinyllama",
    aliases: [],
    loaded: true,
    contextSize: null,
    vocabularySize: null,
    parameterCount: null,
    bytes: null,
  };
  const samples: readonly BenchSample[] = [
    { kind: "prompt", tokens: 128, tokensPerSecond: 100, firstSeconds: 1.3 },
    { kind: "prompt", tokens: 128, tokensPerSecond: 110, firstSeconds: 1.2 },
    { kind: "decode", tokensPerSecond: 20, gaps: [0.05, 0.05, 0.06] },
    { kind: "repeat", tokens: 512, cachedTokens: 511, coldSeconds: 5, warmSeconds: 0.08 },
    { kind: "streams", streams: 4, tokensPerSecond: 36 },
  ];

  test("says everything, in lines of 80 columns", () => {
    const run = { samples, leftOut: ["8 answers at once"], failure: null, seconds: 12.3 };
    const work = { computeSeconds: [9, 3], hops: { p50_ms: 0.4, p99_ms: 1.2 } };
    const report = benchReport({ client, model, cluster, ring }, 4, run, work);
    assert.equal(report.complete, false);
    assert.equal(report.prompt[0]?.tokens_per_second.median, 105);
    assert.deepEqual(
      report.stages.map(({ node, has_output }) => [node, has_output]),
      [
        ["node-a", true],
        ["node-b", false],
      ],
    );
    assert.deepEqual(
      report.stages.map(({ compute_share }) => compute_share),
      [0.75, 0.25],
    );
    const table = benchTable(report, 80, plainPaint);
    assert.match(table, /128 tokens +105\.0 +1\.25 s +\(100\.0 to 110\.0\)/);
    assert.match(table, /node-a \(head\) +layers \[0, 11\) +169\.0 MiB +75 % of computing +busy 73 %/);
    assert.match(table, /a hop costs 0\.40 ms \(p50\), 1\.20 ms \(p99\)/);
    assert.match(table, /between tokens: 50\.0 ms \(p50\)/);
    assert.match(table, /5\.00 s cold, 80\.0 ms repeated \(511 cached\)/);
    assert.match(table, /4 +36\.0 +9\.00/);
    assert.match(table, /Not measured: 8 answers at once\./);
    assert.match(table, /answering 1 other requests/);
    for (const line of table.split("\n")) assert.ok(line.length <= 80, line);
  });

  test("of nothing has empty lists and nulls", () => {
    const failure = new ExoError("stage_lost", "Gone.");
    const run = { samples: [], leftOut: [], failure, seconds: 0 };
    const report = benchReport({ client, model, cluster, ring }, 4, run, null);
    assert.equal(report.hop_seconds, null);
    assert.equal(report.stages[0]?.compute_share, null);
    assert.deepEqual(report.failure, { code: "stage_lost", message: "Gone." });
    assert.deepEqual([report.prompt, report.decode, report.repeated_prompt, report.streams], [[], null, null, []]);
  });
});
