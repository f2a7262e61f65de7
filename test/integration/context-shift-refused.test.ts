import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { complete } from "../support/completions.js";
import { encodeGguf } from "../support/gguf-writer.js";
import { NodeProcess } from "../support/node-process.js";
import { tinyMetadata, tinyTensors } from "../support/tiny-gguf.js";

describe("a model whose positions have several parts, so that its cache cannot be shifted", () => {
  let directory: string;
  let model: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "exo-native-shift-"));
    model = join(directory, "parts.gguf");
    const metadata = {
      ...tinyMetadata({ architecture: "qwen2vl" }),
      "qwen2vl.rope.dimension_sections": { type: "i32s", value: [2, 3, 3, 0] },
    } as const;
    await writeFile(model, encodeGguf(metadata, tinyTensors()));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const start = (...args: string[]) => NodeProcess.start({ name: "n", args: [model, "--ctx", "64", ...args] });

  test("is refused with --context-full shift, with the reason", async () => {
    const node = await start("--context-full", "shift");
    assert.equal(await node.ended(), 1);
    assert.match(node.log, /cache of qwen2vl models cannot be moved .* start without --context-full shift/);
    await node.stop();
  });

  test("runs without it, and stops at the end of the context", async () => {
    const node = await (await start()).ready();
    try {
      const prompt = Array.from({ length: 20 }, (_, index) => 260 + index);
      const answer = await complete(node, { prompt, temperature: 0, ignore_eos: true });
      assert.deepEqual([answer.completionTokens, answer.finishReason], [44, "length"]);
    } finally {
      await node.stop();
    }
  });
});
