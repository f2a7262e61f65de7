import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Kept } from "../../src/web/app/kept.js";
import { forgetHistory, readHistory, remember } from "../../src/web/bench/bench-history.js";
import { firstTokenRows, rateRows } from "../../src/web/bench/bench-rows.js";
import { type BenchPorts, runBench } from "../../src/web/bench/bench-run.js";
import { benchText } from "../../src/web/bench/bench-text.js";
import { axisMarks, barShare, roundCeiling } from "../../src/web/bench/chart-scale.js";
import { MemoryShelf } from "../support/memory-shelf.js";

const RESULT = {
  model: "tiny",
  at: 1000,
  nodes: ["desk", "laptop"],
  promptTokens: 512,
  ttftSeconds: 0.5,
  decodeTokensPerSecond: 20,
  streams: [
    { streams: 1, tokensPerSecond: 18 },
    { streams: 2, tokensPerSecond: 30 },
  ],
};

describe("scales of charts", () => {
  test("end at a round number that holds the largest value", () => {
    assert.deepEqual([0.7, 1, 3, 12, 25, 26, 99, 1234].map(roundCeiling), [1, 1, 5, 20, 25, 50, 100, 2000]);
    assert.deepEqual([0, -1, Number.NaN, Number.POSITIVE_INFINITY].map(roundCeiling), [1, 1, 1, 1]);
  });

  test("bars are a share of it", () => {
    assert.deepEqual([barShare(5, 20), barShare(0, 20), barShare(99, 20), barShare(Number.NaN, 20)], [0.25, 0, 1, 0]);
    assert.deepEqual(axisMarks(20, 4), [0, 5, 10, 15, 20]);
  });
});

describe("a measurement", () => {
  /** A node that takes a second for each answer, whoever else asks, and a token for each word. */
  function ports(): { readonly ports: BenchPorts; readonly asked: string[] } {
    let now = 0;
    const asked: string[] = [];
    let together = 0;
    return {
      asked,
      ports: {
        tokenize: async (text) => text.split(" ").map((_, index) => index),
        complete: async (prompt, maxTokens) => {
          asked.push(`${prompt.length} ${maxTokens}`);
          together += 1;
          await Promise.resolve();
          if (together > 0) now += 1000;
          together = 0;
          return { firstSeconds: 0.25, tokens: maxTokens, decodeTokensPerSecond: 40 };
        },
        now: () => now,
      },
    };
  }

  test("asks for a long prompt, then for one, two and four answers at once", async () => {
    const { ports: node, asked } = ports();
    const steps: string[] = [];
    const numbers = await runBench(node, { contextSize: 4096, slots: 4 }, (text) => steps.push(text));
    assert.deepEqual(asked, ["32 2", "512 1", ...Array<string>(1 + 2 + 4).fill("32 64")]);
    assert.deepEqual([numbers.promptTokens, numbers.ttftSeconds, numbers.decodeTokensPerSecond], [512, 0.25, 40]);
    assert.deepEqual(numbers.streams, [
      { streams: 1, tokensPerSecond: 64 },
      { streams: 2, tokensPerSecond: 128 },
      { streams: 4, tokensPerSecond: 256 },
    ]);
    assert.deepEqual(steps, [
      "warming up",
      "the first token of a prompt of 512",
      "one answer",
      "2 answers at once",
      "4 answers at once",
      "done",
    ]);
  });

  test("keeps to what the slots and the context allow", async () => {
    const { ports: node, asked } = ports();
    const numbers = await runBench(node, { contextSize: 64, slots: 1 }, () => {});
    assert.deepEqual(asked, ["16 2", "62 1", "16 47"]);
    assert.equal(numbers.streams.length, 1);
  });

  test("passes on why an answer failed", async () => {
    const { ports: node } = ports();
    const broken = { ...node, complete: () => Promise.reject(new Error("The node is away.")) };
    await assert.rejects(
      runBench(broken, { contextSize: 64, slots: 1 }, () => {}),
      /The node is away\./,
    );
  });

  test("no two prompts begin alike", () => {
    const beginnings = new Set(Array.from({ length: 20 }, (_, index) => benchText(index, 200).slice(0, 12)));
    assert.equal(beginnings.size, 20);
    assert.ok(benchText(3, 5000).length >= 5000);
  });
});

describe("measurements that are remembered", () => {
  const shelf = (): Kept => {
    const memory = new MemoryShelf();
    return new Kept(() => memory);
  };

  test("the latest first, thirty at most, until they are forgotten", () => {
    const kept = shelf();
    for (let at = 1; at <= 40; at += 1) remember(kept, { ...RESULT, at });
    const history = readHistory(kept);
    assert.deepEqual([history.length, history[0]?.at, history.at(-1)?.at], [30, 40, 11]);
    assert.deepEqual(history[0], { ...RESULT, at: 40 });
    forgetHistory(kept);
    assert.deepEqual(readHistory(kept), []);
  });

  test("what somebody else wrote there does no harm", () => {
    const kept = shelf();
    for (const text of ["{", "[1, null, {}]", '[{"model": "x", "streams": "many"}]']) {
      kept.write("exo-native.bench", text);
      assert.deepEqual(readHistory(kept), []);
    }
  });

  test("bars of this one, the one before and the plan, without what is not known", () => {
    const before = { ...RESULT, at: 1, promptTokens: 256, streams: [{ streams: 1, tokensPerSecond: 17 }] };
    const predicted = { ttftSeconds: 0.4, decodeTokensPerSecond: 22 };
    const rates = rateRows(RESULT, before, predicted);
    assert.deepEqual(
      rates.map(({ bars }) => bars.map(({ kind, value }) => `${kind} ${value}`)),
      [["now 20", "before 20", "predicted 22"], ["now 18", "before 17"], ["now 30"]],
    );
    const first = firstTokenRows(RESULT, before, predicted);
    assert.deepEqual(
      first[0]?.bars.map(({ kind }) => kind),
      ["now", "predicted"],
      "a shorter prompt is no comparison",
    );
    assert.equal(rateRows({ ...RESULT, decodeTokensPerSecond: null }, null, null).length, 2);
  });
});
