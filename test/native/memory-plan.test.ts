import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readGgufInfo } from "../../src/model/gguf-info.js";
import { type MemoryNeeds, type ModelPart, stageMemory, totalBytes } from "../../src/model/memory-estimate.js";
import { planStageMemory } from "../../src/native/memory-plan.js";
import { MODEL_SHAPES, type ModelShapeCase, writeModelShape } from "../support/model-shapes.js";
import { tinyModel } from "../support/models.js";

const MIB = 2 ** 20;

/** What people commonly ask for. */
const COMMON: readonly Pick<MemoryNeeds, "contextSize" | "slots" | "ubatch">[] = [
  { contextSize: 4096, slots: 1, ubatch: 512 },
  { contextSize: 8192, slots: 4, ubatch: 512 },
  { contextSize: 2048, slots: 1, ubatch: 128 },
];

/** llama.cpp's own accounting of a part. */
function accounted(path: string, part: ModelPart, needs: MemoryNeeds): number {
  const { weights, kvCache, compute } = planStageMemory({
    modelPath: path,
    layerBegin: part.begin,
    layerEnd: part.end,
    hasOutput: part.hasOutput,
    contextSize: needs.contextSize,
    maxSequences: needs.slots,
    batchSize: needs.ubatch,
    microBatchSize: needs.ubatch,
    maxOutputs: Math.min(needs.ubatch, 31 + needs.slots),
    flashAttention: "on",
    threads: 1,
  });
  return weights + kvCache + compute;
}

describe("the estimate agrees with llama.cpp's own accounting within 5 %:", () => {
  for (const shape of MODEL_SHAPES) {
    test(shape.name, async (context) => {
      const { path, remove } = writeModelShape(shape);
      context.after(remove);
      const info = await readGgufInfo(path);
      const end = info.layerCount;
      const half = Math.floor(end / 2);
      for (const common of COMMON) {
        const needs = { ...common, kvType: "f16", kvTypeV: "f16", flashAttention: true } as const;
        const whole = { begin: 0, end, hasEmbedding: true, hasOutput: true };
        const later = { begin: half, end, hasEmbedding: false, hasOutput: false };
        for (const part of [whole, later]) {
          const estimate = totalBytes(stageMemory(info, part, needs));
          const found = accounted(path, part, needs);
          const error = estimate / found - 1;
          const what = `${(estimate / MIB).toFixed(0)} MiB estimated, ${(found / MIB).toFixed(0)} MiB by llama.cpp`;
          assert.ok(Math.abs(error) <= 0.05, `${what}, layers ${part.begin}-${part.end}, ${JSON.stringify(common)}`);
        }
      }
    });
  }
});

const LLAMA = { architecture: "llama", tied: true } as const;

/** As their `config.json` has them; buffers are a large part of what these take. */
const SMALL_SHAPES: readonly ModelShapeCase[] = [
  {
    ...LLAMA,
    name: "stories-15m",
    layers: 6,
    width: 288,
    heads: 6,
    kvHeads: 6,
    headSize: 48,
    feedForward: 768,
    vocabulary: 32_000,
    context: 256,
  },
  {
    ...LLAMA,
    name: "stories-110m",
    layers: 12,
    width: 768,
    heads: 12,
    kvHeads: 12,
    headSize: 64,
    feedForward: 2048,
    vocabulary: 32_000,
    context: 1024,
  },
  {
    ...LLAMA,
    name: "smollm2-135m",
    layers: 30,
    width: 576,
    heads: 9,
    kvHeads: 3,
    headSize: 64,
    feedForward: 1536,
    vocabulary: 49_152,
    context: 8192,
  },
];

describe("the estimate of a small model agrees with llama.cpp's own accounting within 5 %:", () => {
  for (const shape of SMALL_SHAPES) {
    test(shape.name, async (context) => {
      const { path, remove } = writeModelShape(shape);
      context.after(remove);
      const info = await readGgufInfo(path);
      const whole = { begin: 0, end: info.layerCount, hasEmbedding: true, hasOutput: true };
      for (const [contextSize, slots] of [
        [shape.context, 1],
        [shape.context, 4],
        [200, 1],
        [128, 2],
      ] as const) {
        const needs = { contextSize, slots, ubatch: 512, kvType: "f16", kvTypeV: "f16", flashAttention: true } as const;
        const estimate = totalBytes(stageMemory(info, whole, needs));
        const found = accounted(path, whole, needs);
        const what = `${(estimate / MIB).toFixed(1)} MiB estimated, ${(found / MIB).toFixed(1)} MiB by llama.cpp`;
        assert.ok(Math.abs(estimate / found - 1) <= 0.05, `${what}, context ${contextSize}, ${slots} slots`);
      }
    });
  }
});

describe("planning a stage's memory", () => {
  test("refuses what loading would refuse", () => {
    const options = { modelPath: tinyModel(), layerBegin: 0, layerEnd: 9, hasOutput: false, threads: 1 };
    assert.throws(() => planStageMemory(options), { code: "invalid_argument" });
    assert.throws(() => planStageMemory({ ...options, modelPath: "/nowhere.gguf" }), { code: "invalid_model" });
  });

  test("tells what loading then takes", () => {
    const planned = planStageMemory({
      modelPath: tinyModel(),
      layerBegin: 0,
      layerEnd: 4,
      hasOutput: true,
      contextSize: 256,
      threads: 1,
    });
    assert.equal(planned.kvCache, 256 * 4 * 2 * 32 * 2);
    assert.ok(planned.weights > 0 && planned.compute > 0);
  });
});
