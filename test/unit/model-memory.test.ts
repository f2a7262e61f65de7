import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { computeBytes } from "../../src/model/compute-buffer.js";
import type { GgufInfo } from "../../src/model/gguf-info.js";
import { kvCacheBytes, stageMemory, totalBytes, weightBytes } from "../../src/model/memory-estimate.js";
import { ProgressMeter } from "../../src/model/progress.js";
import { cutsEverywhere } from "./planning-models.js";

const MIB = 2 ** 20;

/** The numbers of TinyLlama 1.1B IQ2_XXS. */
const TINYLLAMA: GgufInfo = {
  architecture: "llama",
  name: null,
  layerCount: 22,
  embeddingSize: 2048,
  contextTrained: 2048,
  headCount: 32,
  feedForwardSize: 5632,
  expertsUsed: 0,
  slidingWindow: 0,
  vocabularySize: 32_000,
  quantisation: "IQ2_XXS",
  parameterCount: 1_100_048_384,
  hasChatTemplate: true,
  texts: { pooling: null, wholeTexts: false, encoder: false },
  layerBytes: [12_341_248, 12_341_248, ...new Array<number>(20).fill(11_530_240)],
  embeddingBytes: 21_504_000,
  outputBytes: 45_064_192,
  sharedBytes: 0,
  tiedEmbedding: false,
  tiedCopyBytes: 0,
  layerState: new Array(22).fill({ keyElements: 256, valueElements: 256, fixedBytes: 0 }),
  cuts: cutsEverywhere(22, 2048),
  files: [],
};
const WHOLE = { begin: 0, end: 22, hasEmbedding: true, hasOutput: true };
const NEEDS = {
  contextSize: 2048,
  slots: 1,
  kvType: "f16",
  kvTypeV: "f16",
  ubatch: 512,
  flashAttention: true,
} as const;

describe("memory of a stage", () => {
  test("weights of the parts add up to those of the whole", () => {
    const head = { begin: 0, end: 9, hasEmbedding: true, hasOutput: true };
    const rest = { begin: 9, end: 22, hasEmbedding: false, hasOutput: false };
    assert.equal(weightBytes(TINYLLAMA, head) + weightBytes(TINYLLAMA, rest), weightBytes(TINYLLAMA, WHOLE));
  });

  test("a tied embedding counts where either end is, once", () => {
    const tied = { ...TINYLLAMA, tiedEmbedding: true, outputBytes: 8192 };
    const onlyOutput = { begin: 22, end: 22, hasEmbedding: false, hasOutput: true };
    assert.equal(weightBytes(tied, onlyOutput), 21_504_000 + 8192);
    assert.equal(weightBytes(tied, { ...onlyOutput, hasEmbedding: true }), 21_504_000 + 8192);
  });

  test("the KV cache is what llama.cpp reports: 44 MiB for 2048 tokens in f16", () => {
    assert.equal(kvCacheBytes(TINYLLAMA, WHOLE, NEEDS), 44 * MIB);
    assert.equal(kvCacheBytes(TINYLLAMA, WHOLE, { ...NEEDS, slots: 3 }), 132 * MIB);
    assert.equal(kvCacheBytes(TINYLLAMA, WHOLE, { ...NEEDS, contextSize: 1 }), 5.5 * MIB);
    assert.equal(kvCacheBytes(TINYLLAMA, WHOLE, { ...NEEDS, kvType: "q8_0", kvTypeV: "q8_0" }), (44 * MIB * 34) / 64);
    assert.equal(kvCacheBytes(TINYLLAMA, { ...WHOLE, begin: 11 }, NEEDS), 22 * MIB);
  });

  test("recurrent state does not grow with the context", () => {
    const recurrent = {
      ...TINYLLAMA,
      layerState: new Array(22).fill({ keyElements: 0, valueElements: 0, fixedBytes: 10 }),
    };
    assert.equal(kvCacheBytes(recurrent, WHOLE, { ...NEEDS, slots: 2 }), 440);
  });

  test("the compute buffer is about what llama.cpp accounts for, a little more rather than less", () => {
    // Accounted for Llama 3.1 8B with 4096 tokens: the numbers of llama.cpp's own trial run, in MiB.
    const llama = {
      ...TINYLLAMA,
      layerCount: 32,
      embeddingSize: 4096,
      feedForwardSize: 14_336,
      vocabularySize: 128_256,
    };
    const needs = { ...NEEDS, contextSize: 4096 };
    const whole = { begin: 0, end: 32, hasEmbedding: true, hasOutput: true };
    const later = { begin: 1, end: 16, hasEmbedding: false, hasOutput: false };
    const output = { begin: 32, end: 32, hasEmbedding: false, hasOutput: true };
    const cases = [
      { part: whole, needs, accounted: 120.0 },
      { part: later, needs, accounted: 112.0 },
      { part: output, needs, accounted: 24.7 },
      { part: whole, needs: { ...needs, ubatch: 128 }, accounted: 30.0 },
      { part: whole, needs: { ...needs, contextSize: 32_768 }, accounted: 148.0 },
      { part: whole, needs: { ...needs, flashAttention: false }, accounted: 308.0 },
    ];
    for (const { part, needs: asked, accounted } of cases) {
      const estimate = computeBytes(llama, part, asked) / MIB;
      assert.ok(estimate > 0.95 * accounted && estimate < 1.1 * accounted, `${estimate} for ${accounted}`);
    }
  });

  test("a head of several nodes has a buffer for its layers and one for the output head", () => {
    const head = { begin: 0, end: 9, hasEmbedding: true, hasOutput: true };
    const layers = { ...head, hasOutput: false };
    const output = { begin: 22, end: 22, hasEmbedding: false, hasOutput: true };
    const sum = computeBytes(TINYLLAMA, layers, NEEDS) + computeBytes(TINYLLAMA, output, NEEDS);
    assert.equal(computeBytes(TINYLLAMA, head, NEEDS), sum);
  });

  test("a stage's total is the sum of its kinds", () => {
    const memory = stageMemory(TINYLLAMA, WHOLE, NEEDS);
    assert.equal(totalBytes(memory), memory.weights + memory.kvCache + memory.compute);
  });
});

describe("progress", () => {
  class Watch {
    now = 0;
    monotonic(): number {
      return this.now;
    }
    wall(): number {
      return this.now;
    }
  }

  test("speed counts new bytes only, not those found on the disk", () => {
    const watch = new Watch();
    const reports: { received: number; total: number | null; bytesPerSecond: number }[] = [];
    const meter = new ProgressMeter(watch, [null, 500], (report) => reports.push(report));
    meter.start(0, 1000, 3000);
    watch.now = 1000;
    meter.add(0, 100);
    assert.deepEqual(reports.at(-1), { phase: "downloading", received: 1100, total: 3500, bytesPerSecond: 100 });
    // The file changed on the server: it starts over.
    meter.start(0, 0, 3000);
    watch.now = 2000;
    meter.add(0, 100);
    assert.deepEqual(reports.at(-1), { phase: "downloading", received: 100, total: 3500, bytesPerSecond: 100 });
  });

  test("a few reports per second are enough", () => {
    const watch = new Watch();
    let reports = 0;
    const meter = new ProgressMeter(watch, [null], () => {
      reports += 1;
    });
    for (watch.now = 0; watch.now < 1000; watch.now += 1) meter.add(0, 1);
    assert.ok(reports >= 4 && reports <= 6, String(reports));
  });

  test("the total is unknown while that of one file is", () => {
    let total: number | null = 0;
    const meter = new ProgressMeter(new Watch(), [10, null], (report) => {
      total = report.total;
    });
    meter.report("downloading");
    assert.equal(total, null);
  });
});
