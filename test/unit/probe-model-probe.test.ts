import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger } from "../../src/core/ports.js";
import type { ModelSpeed } from "../../src/planning/speeds.js";
import type { DeviceProbeOptions, ProbedSpeed } from "../../src/runtime/probe/device-probe.js";
import { ModelProbe, type ModelProbeOptions } from "../../src/runtime/probe/model-probe.js";
import type { ProbeModel } from "../../src/runtime/probe/probe-model.js";
import { Quiet } from "../../src/runtime/probe/quiet.js";
import { idOf, SpeedCache, type SpeedKey } from "../../src/runtime/probe/speed-cache.js";
import type { ProbeModelRequest } from "../../src/transport/node-service.js";
import { modelOf } from "./planning-models.js";

const NEVER = new AbortController().signal;

const SPEED: ModelSpeed = {
  kinds: [{ passes: [{ rows: 1, seconds: 0.1 }], perCachedToken: 0, perCachedTokenOfMany: 0 }],
  kindOfLayer: [0, 0],
  output: [{ rows: 1, seconds: 0.2 }],
  perPass: 0,
};

const STEADY: ProbedSpeed = { speed: SPEED, disturbed: false };

const REQUEST: ProbeModelRequest = {
  model: "demo",
  cores: 2,
  microBatchSize: 512,
  kvTypeK: "f16",
  kvTypeV: "f16",
  flashAttention: "auto",
};

/** A node that is as busy as a test says, with a clock that only waiting moves. */
class FakeNode {
  busy = false;
  microBatches = 0;
  waits = 0;
  onWait: () => void = () => {};
  now = 0;
  readonly clock = { monotonic: () => this.now, wall: () => this.now };
  readonly quiet = new Quiet({
    activity: () => ({ busy: this.busy, microBatches: this.microBatches }),
    clock: this.clock,
    sleep: async (milliseconds) => {
      this.waits += 1;
      this.now += milliseconds;
      this.onWait();
    },
  });
}

let directory = "";
let node = new FakeNode();
let probes: DeviceProbeOptions[] = [];
let hash = "aa";

function modelProbe(change: Partial<ModelProbeOptions> = {}): ModelProbe {
  const header = async (): Promise<ProbeModel> => ({ info: modelOf([1, 1]), parts: [], hash });
  return new ModelProbe({
    header,
    compute: (cores) => ({ threads: cores, batchThreads: cores, devices: [], mmap: true, mlock: false }),
    memory: () => 1000,
    probe: async (options) => {
      probes.push(options);
      options.checkpoint();
      return STEADY;
    },
    cache: new SpeedCache(join(directory, "speeds")),
    quiet: node.quiet,
    linksSettled: async () => {},
    directory,
    cacheBytes: async () => 1,
    processor: "cpu",
    llamaCommit: "c",
    clock: node.clock,
    logger: silentLogger,
    lifetime: NEVER,
    ...change,
  });
}

describe("what parts of models take", () => {
  const made: string[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "exo-native-speeds-"));
    made.push(directory);
    node = new FakeNode();
    probes = [];
    hash = "aa";
  });

  after(() => Promise.all(made.map((path) => rm(path, { recursive: true, force: true }))));

  test("is measured once, also across a restart", async () => {
    const probe = modelProbe();
    assert.deepEqual(await probe.speed(REQUEST, NEVER), SPEED);
    assert.deepEqual(await probe.speed(REQUEST, NEVER), SPEED);
    assert.deepEqual(await modelProbe().speed(REQUEST, NEVER), SPEED);
    assert.equal(probes.length, 1);
  });

  test("is measured anew for other threads, other settings, another header, another processor, and on request", async () => {
    const probe = modelProbe();
    await probe.speed(REQUEST, NEVER);
    await probe.speed({ ...REQUEST, cores: 1 }, NEVER);
    await probe.speed({ ...REQUEST, kvTypeV: "q8_0" }, NEVER);
    await probe.speed({ ...REQUEST, microBatchSize: 64 }, NEVER);
    await modelProbe({ processor: "other" }).speed(REQUEST, NEVER);
    hash = "bb";
    await probe.speed(REQUEST, NEVER);
    await probe.speed({ ...REQUEST, refresh: true }, NEVER);
    assert.equal(probes.length, 7);
  });

  test("is measured once for two who ask at the same time, and one model after the other", async () => {
    let underWay = 0;
    let most = 0;
    let count = 0;
    const slow = async (): Promise<ProbedSpeed> => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      count += 1;
      return STEADY;
    };
    const probe = modelProbe({ probe: slow });
    const other = { ...REQUEST, cores: 1 };
    await Promise.all([REQUEST, REQUEST, other].map((request) => probe.speed(request, NEVER)));
    assert.equal(count, 2);
    assert.equal(most, 1);
  });

  test("a damaged file of the cache is measured over", async () => {
    await modelProbe().speed(REQUEST, NEVER);
    const speeds = join(directory, "speeds");
    const [file] = await readdir(speeds);
    for (const text of ["", "{}", '{"measuredAt":"x","speed":{"kinds":[]},"correction":{"few":-1,"many":1}}']) {
      await writeFile(join(speeds, file ?? ""), text);
      assert.deepEqual(await modelProbe().speed(REQUEST, NEVER), SPEED);
    }
    assert.equal(probes.length, 4);
    assert.deepEqual(await readdir(speeds), [file]);
  });

  test("is not measured while the node answers", async () => {
    node.busy = true;
    node.onWait = () => {
      if (node.waits === 3) node.busy = false;
    };
    await modelProbe().speed(REQUEST, NEVER);
    assert.equal(probes.length, 1);
    assert.ok(node.waits > 3);
    node.busy = true;
    node.onWait = () => {};
    await assert.rejects(modelProbe().speed({ ...REQUEST, cores: 1 }, NEVER), { code: "not_ready" });
    assert.equal(probes.length, 1);
  });

  test("is known also while the node answers, once it was measured", async () => {
    const probe = modelProbe();
    await probe.speed(REQUEST, NEVER);
    node.busy = true;
    assert.deepEqual(await probe.speed(REQUEST, NEVER), SPEED);
  });

  test("a probe makes way for a request, and begins again afterwards", async () => {
    const disturbed = async (options: DeviceProbeOptions): Promise<ProbedSpeed> => {
      probes.push(options);
      if (probes.length === 1) node.microBatches += 1;
      options.checkpoint();
      return STEADY;
    };
    assert.deepEqual(await modelProbe({ probe: disturbed }).speed(REQUEST, NEVER), SPEED);
    assert.equal(probes.length, 2);
    const always = async (options: DeviceProbeOptions): Promise<ProbedSpeed> => {
      node.microBatches += 1;
      options.checkpoint();
      return STEADY;
    };
    const failing = modelProbe({ probe: always }).speed({ ...REQUEST, cores: 7 }, NEVER);
    await assert.rejects(failing, { code: "not_ready" });
  });

  test("a failure is told, not kept", async () => {
    let fails = true;
    const probe = modelProbe({
      probe: async () => {
        if (fails) throw new ExoError("out_of_memory", "Too large.");
        return STEADY;
      },
    });
    await assert.rejects(probe.speed(REQUEST, NEVER), { code: "out_of_memory" });
    fails = false;
    assert.deepEqual(await probe.speed(REQUEST, NEVER), SPEED);
  });

  test("an abort ends the wait", async () => {
    const abort = new AbortController();
    node.busy = true;
    node.onWait = () => abort.abort();
    await assert.rejects(modelProbe().speed(REQUEST, abort.signal), { code: "cancelled" });
    assert.equal(probes.length, 0);
  });

  test("is corrected by what stages took, and stays so", async () => {
    const probe = modelProbe();
    const before = await probe.speed(REQUEST, NEVER);
    // Twice as long as measured.
    const passes = Array.from({ length: 10 }, () => ({ rows: 1, outputs: 1, cachedTokens: 0, seconds: 2 * 0.2 }));
    const part = { layerBegin: 0, layerEnd: 2, hasOutput: false };
    const use = { part, request: REQUEST, threads: 2, batchThreads: 2, passes };
    for (let round = 0; round < 60; round += 1) await probe.learn([use], false);
    const learned = await probe.speed(REQUEST, NEVER);
    const ratio = (learned.kinds[0]?.passes[0]?.seconds ?? 0) / (before.kinds[0]?.passes[0]?.seconds ?? 1);
    assert.ok(Math.abs(ratio - 2) < 0.01, `${ratio}`);
    assert.deepEqual(await modelProbe().speed(REQUEST, NEVER), learned);
    assert.equal(probes.length, 1);
  });

  test("learns nothing of prompts where nodes of the machine share its cores", async () => {
    const probe = modelProbe();
    const before = await probe.speed(REQUEST, NEVER);
    const part = { layerBegin: 0, layerEnd: 2, hasOutput: false };
    const passesOf = (rows: number) => [{ rows, outputs: 1, cachedTokens: 0, seconds: 60 }];
    const use = { part, request: REQUEST, threads: 2, batchThreads: 2 };
    await probe.learn([{ ...use, passes: passesOf(100) }], true);
    assert.deepEqual(await probe.speed(REQUEST, NEVER), before);
    await probe.learn([{ ...use, passes: passesOf(1) }], true);
    assert.notDeepEqual(await probe.speed(REQUEST, NEVER), before);
  });

  test("that was disturbed is measured again when it is asked for some time later, and the best of it counts", async () => {
    const results = [0.3, 0.4, 0.2].map((seconds, index) => {
      const kinds = [{ passes: [{ rows: 1, seconds }], perCachedToken: 0, perCachedTokenOfMany: 0 }];
      return { speed: { ...SPEED, kinds }, disturbed: index < 2 };
    });
    let times = 0;
    const probe = modelProbe({ probe: async () => results[times++] ?? STEADY });
    const answered = async () => (await probe.speed(REQUEST, NEVER)).kinds[0]?.passes[0]?.seconds;
    // Who asks is answered with what is known; what comes of it the next one hears.
    const secondsOf = async () => {
      await answered();
      await probe.idle();
      return answered();
    };
    assert.equal(await secondsOf(), 0.3);
    node.now += 30_000;
    assert.equal(await secondsOf(), 0.3);
    assert.equal(times, 1);
    node.now += 60_000;
    assert.equal(await secondsOf(), 0.3, "the second took longer");
    assert.equal(times, 2);
    node.now += 60_000;
    assert.equal(await secondsOf(), 0.3, "longer is waited after each");
    node.now += 100_000;
    node.busy = true;
    assert.equal(await secondsOf(), 0.3, "better than nothing");
    assert.equal(times, 2);
    node.busy = false;
    assert.equal(await secondsOf(), 0.2);
    node.now += 3_600_000;
    assert.equal(await secondsOf(), 0.2);
    assert.equal(times, 3);
  });

  test("that cannot be measured again stays as it was", async () => {
    let times = 0;
    const probe = modelProbe({
      probe: async () => {
        times += 1;
        if (times > 1) throw new ExoError("out_of_memory", "No room now.");
        return { speed: SPEED, disturbed: true };
      },
    });
    await probe.speed(REQUEST, NEVER);
    node.now += 600_000;
    assert.deepEqual(await probe.speed(REQUEST, NEVER), SPEED);
    await probe.idle();
    assert.equal(times, 2);
  });

  test("is told at once where it is known, and measured again in the background, once for all who ask", async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let times = 0;
    const probe = modelProbe({
      probe: async () => {
        times += 1;
        if (times > 1) await released;
        return { speed: SPEED, disturbed: times === 1 };
      },
    });
    await probe.speed(REQUEST, NEVER);
    node.now += 600_000;
    const asker = new AbortController();
    assert.deepEqual(await probe.speed(REQUEST, asker.signal), SPEED);
    asker.abort();
    assert.deepEqual(await probe.speed(REQUEST, NEVER), SPEED);
    release();
    await probe.idle();
    assert.equal(times, 2);
  });

  test("is not measured in the background beyond the node's life", async () => {
    const lifetime = new AbortController();
    const probe = modelProbe({ probe: async () => ({ speed: SPEED, disturbed: true }), lifetime: lifetime.signal });
    await probe.speed(REQUEST, NEVER);
    node.now += 600_000;
    lifetime.abort();
    const waits = node.waits;
    assert.deepEqual(await probe.speed(REQUEST, NEVER), SPEED);
    await probe.idle();
    assert.equal(node.waits, waits);
  });

  test("waits for the links to be measured, and says while it measures", async () => {
    const seen: boolean[] = [];
    const probe: ModelProbe = modelProbe({
      linksSettled: async () => void seen.push(probe.probing),
      probe: async () => {
        seen.push(probe.probing);
        return STEADY;
      },
    });
    await probe.speed(REQUEST, NEVER);
    assert.deepEqual([...seen, probe.probing], [false, true, false]);
  });

  test("stages of models that nobody asked about, or with other threads, teach nothing", async () => {
    const probe = modelProbe();
    await probe.speed(REQUEST, NEVER);
    const passes = [{ rows: 1, outputs: 1, cachedTokens: 0, seconds: 10 }];
    const use = { part: { layerBegin: 0, layerEnd: 2, hasOutput: false }, request: REQUEST, passes };
    await probe.learn([{ ...use, threads: 1, batchThreads: 1 }], false);
    await probe.learn([{ ...use, request: { ...REQUEST, model: "other" }, threads: 2, batchThreads: 2 }], false);
    assert.deepEqual(await probe.speed(REQUEST, NEVER), SPEED);
  });
});

describe("the key of a measurement", () => {
  const key: SpeedKey = {
    model: "m",
    processor: "p",
    llamaCommit: "l",
    threads: 1,
    batchThreads: 2,
    devices: ["CUDA0"],
    microBatchSize: 512,
    kvTypeK: "f16",
    kvTypeV: "q8_0",
    flashAttention: "auto",
  };

  test("differs with every part of it", () => {
    const others: readonly Partial<SpeedKey>[] = [
      { model: "n" },
      { processor: "q" },
      { llamaCommit: "k" },
      { threads: 2 },
      { batchThreads: 1 },
      { devices: [] },
      { devices: ["CUDA0", "CUDA1"] },
      { microBatchSize: 256 },
      { kvTypeK: "q8_0" },
      { kvTypeV: "f16" },
      { flashAttention: "off" },
    ];
    const ids = [key, ...others.map((change) => ({ ...key, ...change }))].map(idOf);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(idOf({ ...key }), ids[0]);
  });
});
