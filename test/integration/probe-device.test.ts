import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readdir, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { systemClock } from "../../src/core/ports.js";
import { readGgufHeader } from "../../src/model/gguf-header.js";
import { nativeCounters } from "../../src/native/load.js";
import type { ModelSpeed, PassTime } from "../../src/planning/speeds.js";
import { type DeviceProbeOptions, probeDevice } from "../../src/runtime/probe/device-probe.js";
import { writeProbeFile } from "../../src/runtime/probe/probe-file.js";
import { readProbeModel } from "../../src/runtime/probe/probe-model.js";
import { modelSpeedSchema } from "../../src/transport/probe-messages.js";
import { eventually } from "../support/eventually.js";
import { encodeGguf } from "../support/gguf-writer.js";
import { tinyModel } from "../support/models.js";
import { loadRange } from "../support/stages.js";
import { TINY_ENCODER_LAYERS, tinyEncoder } from "../support/tiny-encoder.js";
import { tinyGguf, tinyMetadata, tinyTensors } from "../support/tiny-gguf.js";
import { writeTinyMamba } from "../support/tiny-mamba.js";
import { tinyWindowedGguf } from "../support/tiny-windowed.js";

const directory = mkdtempSync(join(tmpdir(), "exo-native-probe-test-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));

const MEMORY = 4 * 1024 ** 3;

async function options(path: string, change: Partial<DeviceProbeOptions> = {}): Promise<DeviceProbeOptions> {
  return {
    model: await readProbeModel(path),
    settings: {
      threads: 1,
      batchThreads: 1,
      devices: [],
      microBatchSize: 128,
      kvTypeK: "f16",
      kvTypeV: "f16",
      flashAttention: "auto",
    },
    memory: MEMORY,
    cacheBytes: 64 * 1024 ** 2,
    directory,
    checkpoint: () => {},
    clock: systemClock,
    signal: new AbortController().signal,
    ...change,
  };
}

function fileOf(name: string, bytes: Uint8Array): string {
  const path = join(directory, `${name}.gguf`);
  writeFileSync(path, bytes);
  return path;
}

function assertPlausible(passes: readonly PassTime[]): void {
  passes.forEach(({ rows, seconds }, index) => {
    assert.ok(seconds > 0 && seconds < 10, `${rows} rows take ${seconds} s`);
    assert.ok(seconds >= (passes[index - 1]?.seconds ?? 0));
  });
}

function assertSpeed(speed: ModelSpeed, layers: number): void {
  assert.deepEqual(modelSpeedSchema.parse(speed), speed);
  assert.equal(speed.kindOfLayer.length, layers);
  for (const { passes, perCachedToken, perCachedTokenOfMany } of speed.kinds) {
    assertPlausible(passes);
    assert.ok(perCachedTokenOfMany >= 0 && perCachedTokenOfMany <= perCachedToken);
    assert.ok(perCachedToken >= 0 && perCachedToken < 1e-3);
  }
  assertPlausible(speed.output);
}

afterEach(async () => {
  const left = (await readdir(directory)).filter((name) => name.startsWith("probe-"));
  assert.deepEqual(left, [], "a probe leaves no file");
  await eventually(async () => assert.equal(nativeCounters().stages, 0));
});

describe("a probe of this machine", () => {
  test("tells what layers, cached tokens and the output head take", async () => {
    const path = tinyModel({ layers: 6, width: 256, headSize: 64, contextLength: 4096 });
    const { speed } = await probeDevice(await options(path));
    assertSpeed(speed, 6);
    assert.equal(speed.kinds.length, 1);
    const [kind] = speed.kinds;
    assert.deepEqual(
      kind?.passes.map(({ rows }) => rows),
      [1, 2, 4, 8, 32, 128],
    );
    assert.ok(
      (kind?.passes.at(-1)?.seconds ?? 0) > 2 * (kind?.passes[0]?.seconds ?? 1),
      "128 rows take longer than one",
    );
    assert.ok(speed.output.length > 1);
  });

  test("reads no weight: of a file with holes it tells the same", async () => {
    const path = fileOf("holes", tinyGguf({ layers: 3, width: 128, contextLength: 2048 }));
    const { header, fileBytes } = await readGgufHeader(path);
    await truncate(path, header.dataOffset);
    await truncate(path, fileBytes);
    assertSpeed((await probeDevice(await options(path))).speed, 3);
  });

  test("measures only what it must when it takes too long", async () => {
    const path = tinyModel({ layers: 3, contextLength: 2048 });
    let now = 0;
    const clock = { monotonic: () => (now += 60_000), wall: () => 0 };
    const { speed } = await probeDevice(await options(path, { clock }));
    assertSpeed(speed, 3);
    assert.equal(speed.kinds[0]?.passes.at(-1)?.rows, 8);
    assert.equal(speed.kinds[0]?.perCachedToken, 0);
  });

  test("takes no more rows than the node computes in a pass", async () => {
    const path = tinyModel({ layers: 3, contextLength: 2048 });
    const base = await options(path);
    const { speed } = await probeDevice({ ...base, settings: { ...base.settings, microBatchSize: 6 } });
    assertSpeed(speed, 3);
    assert.deepEqual(
      speed.kinds[0]?.passes.map(({ rows }) => rows),
      [1, 2, 4, 6],
    );
  });

  test("knows layers that keep a state of fixed size, windows, and models of one layer", async () => {
    const mamba = writeTinyMamba();
    assertSpeed((await probeDevice(await options(mamba.path))).speed, 2);
    mamba.remove();
    assertSpeed((await probeDevice(await options(fileOf("windowed", tinyWindowedGguf(32))))).speed, 4);
    assertSpeed((await probeDevice(await options(tinyModel({ layers: 1, tied: true })))).speed, 1);
  });

  test("measures a model that cannot be cut as a whole", async () => {
    const shape = { architecture: "bitnet", layers: 3, tied: true };
    const norm = (name: string, size: number) => ({ name, shape: [size], data: new Float32Array(size).fill(1) });
    const norms = [0, 1, 2].flatMap((layer) => [
      norm(`blk.${layer}.attn_sub_norm.weight`, 64),
      norm(`blk.${layer}.ffn_sub_norm.weight`, 128),
    ]);
    const path = fileOf("bitnet", encodeGguf(tinyMetadata(shape), [...tinyTensors(shape), ...norms]));
    await assert.rejects(loadRange(path, [1, 3, true]), { code: "unsupported" });
    const { speed } = await probeDevice(await options(path));
    assertSpeed(speed, 3);
    assert.equal(speed.output.length, 1);
  });

  test("of more than the memory that it may take is refused before anything is loaded", async () => {
    const path = tinyModel({ layers: 3 });
    await assert.rejects(probeDevice(await options(path, { memory: 1000 })), { code: "out_of_memory" });
  });

  test("ends when it is aborted, in whatever phase", async () => {
    const path = tinyModel({ layers: 4, width: 128, contextLength: 2048 });
    for (const after of [0, 3, 20, 60]) {
      const abort = new AbortController();
      let passes = 0;
      const checkpoint = (): void => {
        if (passes++ >= after) abort.abort();
      };
      if (after === 0) abort.abort();
      await assert.rejects(probeDevice(await options(path, { checkpoint, signal: abort.signal })), {
        code: "cancelled",
      });
    }
  });

  test("makes way at once when it is told to", async () => {
    const path = tinyModel({ layers: 4 });
    const checkpoint = (): void => {
      throw new Error("make way");
    };
    await assert.rejects(probeDevice(await options(path, { checkpoint })), /make way/);
  });

  for (const architecture of ["bert", "modern-bert", "gemma-embedding", "llama-embed"] as const) {
    test(`tells what a text takes that is read whole: ${architecture}`, async () => {
      const path = fileOf(architecture, tinyEncoder(architecture, { contextLength: 64 }));
      const { speed } = await probeDevice(await options(path));
      assertSpeed(speed, TINY_ENCODER_LAYERS);
      for (const { passes, perCachedToken } of speed.kinds) {
        assert.equal(passes.at(-1)?.rows, 64, "there are no positions behind those of the longest text");
        assert.equal(perCachedToken, 0);
      }
    });
  }

  test("refuses a damaged header", async () => {
    const good = tinyGguf({ layers: 2 });
    const wrongMagic = Buffer.from(good);
    wrongMagic.write("NOPE");
    for (const [name, bytes] of [
      ["magic", wrongMagic],
      ["short", good.subarray(0, 200)],
      ["empty", Buffer.alloc(0)],
    ] as const) {
      await assert.rejects(readProbeModel(fileOf(name, bytes)), { code: "invalid_model" });
    }
  });

  test("says where it could not write", async () => {
    const path = tinyModel({ layers: 2 });
    const blocked = join(directory, "a-file");
    await writeFile(blocked, "");
    await assert.rejects(probeDevice(await options(path, { directory: blocked })), /a-file/);
  });
});

describe("the file with the holes", () => {
  test("is as long as the model, with its header, and takes little of the disk", async () => {
    const path = tinyModel({ layers: 8, width: 512, contextLength: 2048 });
    const model = await readProbeModel(path);
    const file = await writeProbeFile(model, new Set([1]), directory);
    const copy = await readProbeModel(file.path);
    assert.equal(copy.hash, model.hash);
    assert.equal(copy.parts[0]?.fileBytes, model.parts[0]?.fileBytes);
    const { blocks, size } = await stat(file.path);
    if (process.platform === "linux") assert.ok(blocks * 512 < size / 4, `${blocks * 512} of ${size} bytes`);
    await file.remove();
  });
});
