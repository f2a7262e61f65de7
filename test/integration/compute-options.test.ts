import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { z } from "zod";
import { usableCores } from "../../src/native/devices.js";
import { NodeProcess, startRing } from "../support/node-process.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const wide = writeTinyModel({ headSize: 32 });
const narrow = writeTinyModel();
after(() => {
  wide.remove();
  narrow.remove();
});

const CONTEXT = ["--ctx", "256", "--slots", "1", "--ubatch", "32"];
const SMALL_CACHE = ["--kv", "q8_0", "--kv-v", "q4_0", "--flash-attention", "on"];

const completionSchema = z.object({ choices: z.array(z.object({ text: z.string() })) });
const clusterSchema = z.object({
  rings: z.array(z.object({ stages: z.array(z.object({ memory: z.object({ kv_cache: z.number() }) })) })),
});
const loadedSchema = z.object({ msg: z.literal("stage loaded"), threads: z.int(), batchThreads: z.int() });

async function answer(node: NodeProcess | undefined): Promise<string> {
  const prompt = Array.from({ length: 60 }, (_, index) => 260 + (index % 90));
  const response = await fetch(`${node?.http}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt, max_tokens: 40, temperature: 0, ignore_eos: true }),
  });
  return completionSchema.parse(await response.json()).choices[0]?.text ?? "";
}

async function cacheBytes(node: NodeProcess | undefined): Promise<number> {
  const { rings } = clusterSchema.parse(await (await fetch(`${node?.http}/cluster`)).json());
  return rings.flatMap((ring) => ring.stages).reduce((sum, stage) => sum + stage.memory.kv_cache, 0);
}

/** The last word of a node on the stage that it holds for a head elsewhere. */
function loadedStage(node: NodeProcess | undefined): z.infer<typeof loadedSchema> {
  const lines = (node?.log ?? "").split("\n").filter((line) => line.includes('"stage loaded"'));
  return loadedSchema.parse(JSON.parse(lines.at(-1) ?? "null"));
}

async function withRing<Result>(
  count: number,
  model: string,
  args: readonly string[],
  use: (nodes: readonly NodeProcess[]) => Promise<Result>,
): Promise<Result> {
  const nodes = await startRing(count, model, args);
  try {
    return await use(nodes);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

describe("a ring with a quantized cache, read and locked weights and threads for batches", () => {
  test("takes the head's word on every stage and answers as one node does", async () => {
    const look = async ([head]: readonly NodeProcess[]) => ({
      text: await answer(head),
      bytes: await cacheBytes(head),
    });
    const args = [...CONTEXT, ...SMALL_CACHE, "--mmap", "off", "--mlock", "--threads-batch", "2"];
    const alone = await withRing(1, wide.path, args, look);
    const ring = await withRing(2, wide.path, args, look);
    const exact = await withRing(2, wide.path, CONTEXT, look);
    assert.ok(alone.text.length > 0);
    assert.equal(ring.text, alone.text);
    assert.equal(ring.bytes, alone.bytes);
    // keys: 34 bytes for 32 numbers, values: 18; f16: 64 each
    assert.equal(ring.bytes / exact.bytes, (34 + 18) / (64 + 64));
  });
});

test("a cache that the model's heads do not allow ends the command with a sentence", async () => {
  const node = await NodeProcess.start({ name: "lone", args: [narrow.path, ...CONTEXT, ...SMALL_CACHE] });
  assert.equal(await node.ended(), 1);
  assert.match(node.log, /K cache type q8_0 with block size 32 does not divide n_embd_head_k=16/);
});

test("nodes of one machine divide its cores", async () => {
  const worker = await NodeProcess.start({ name: "worker" });
  const args = [wide.path, ...CONTEXT, "--min-nodes", "2", "--peer", worker.grpc];
  const head = await NodeProcess.start({ name: "head", args });
  try {
    await head.ready();
    const cores = usableCores().length;
    const { threads, batchThreads } = loadedStage(worker);
    assert.equal(batchThreads, threads);
    assert.ok([Math.floor(cores / 2), Math.ceil(cores / 2), 1].includes(threads), `${threads} of ${cores}`);
    assert.ok(cores === 1 || threads < cores);
  } finally {
    await Promise.all([head.stop(), worker.stop()]);
  }
});
