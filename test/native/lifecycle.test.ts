import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { ExoError } from "../../src/core/errors.js";
import { nativeCounters } from "../../src/native/load.js";
import { clearNativeLogger, setNativeLogger } from "../../src/native/log.js";
import { encodeRows } from "../../src/native/micro-batch.js";
import { Stage } from "../../src/native/stage.js";
import { Chain, loadRange, rowsOf, someTokens } from "../support/stages.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const tiny = writeTinyModel();
after(() => tiny.remove());

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Finalizers run in later turns of the event loop than the collection that queues them. */
async function collectAll(): Promise<void> {
  for (let turn = 0; turn < 5; ++turn) {
    collectGarbage();
    await nextTurn();
  }
}

const RESET = Int32Array.of(0, -1, 0, 0, -1, 0);
const WHOLE = [0, 4, true] as const;
const batch = (count: number) => ({ rows: encodeRows(rowsOf(someTokens(count))), kvOperations: RESET });

function assertNothingLeft(): void {
  const { stages, samplers } = nativeCounters();
  assert.deepEqual({ stages, samplers }, { stages: 0, samplers: 0 });
}

describe("closing", () => {
  test("while decoding: the running micro-batch ends, the others are cancelled", async () => {
    const stage = await loadRange(tiny.path, WHOLE);
    const jobs = Array.from({ length: 30 }, () => stage.decode(batch(64)));
    const closed = stage.close();
    const outcomes = await Promise.allSettled(jobs);
    await closed;
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") continue;
      assert.ok(outcome.reason instanceof ExoError);
      assert.equal(outcome.reason.code, "cancelled");
    }
    assert.ok(outcomes.some(({ status }) => status === "rejected"));
    assertNothingLeft();
  });

  test("twice, and using it afterwards", async () => {
    const stage = await loadRange(tiny.path, WHOLE);
    const sampler = stage.createSampler();
    await Promise.all([stage.close(), stage.close()]);
    await stage.close();
    assert.throws(() => stage.memory(), { name: "ExoError", code: "cancelled", message: /closed/ });
    assert.throws(() => stage.tokenizer.encode("a"), { code: "cancelled" });
    assert.throws(() => stage.createSampler(), { code: "cancelled" });
    await assert.rejects(stage.decode(batch(1)), { code: "cancelled" });
    // the sampler's state went with the stage
    assert.throws(() => sampler.acceptPrompt([3]), { message: /closed/ });
    sampler.close();
    assertNothingLeft();
  });

  test("while loading", async () => {
    const controller = new AbortController();
    const options = { modelPath: tiny.path, layerBegin: 0, layerEnd: 4, hasOutput: true };
    const loading = Stage.load(options, { signal: controller.signal });
    controller.abort();
    await assert.rejects(loading, { name: "ExoError", code: "cancelled" });
    await assert.rejects(Stage.load(options, { signal: controller.signal }), { code: "cancelled" });
    assertNothingLeft();
  });

  test("in the middle of loading, from the progress callback", async () => {
    const big = writeTinyModel({ layers: 24, width: 128 });
    const controller = new AbortController();
    const seen: number[] = [];
    const options = { modelPath: big.path, layerBegin: 0, layerEnd: 24, hasOutput: true, useMmap: false };
    const loading = Stage.load(options, {
      signal: controller.signal,
      onProgress: (fraction) => {
        seen.push(fraction);
        controller.abort();
      },
    });
    const outcome = await loading.then(
      (stage) => stage,
      (error: unknown) => error,
    );
    // a small file may be read before the callback runs
    if (outcome instanceof Stage) await outcome.close();
    else assert.ok(outcome instanceof ExoError && outcome.code === "cancelled");
    assert.ok(seen.length > 0);
    big.remove();
    assertNothingLeft();
  });
});

test("progress goes up to 1", async () => {
  const seen: number[] = [];
  const stage = await Stage.load(
    { modelPath: tiny.path, layerBegin: 0, layerEnd: 4, hasOutput: true },
    { onProgress: (fraction) => seen.push(fraction) },
  );
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
  assert.equal(seen.at(-1), 1);
  await stage.close();
});

test("a queue of 64 is full", async () => {
  const stage = await loadRange(tiny.path, WHOLE);
  const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => stage.decode(batch(64))));
  const refused = outcomes.filter(({ status }) => status === "rejected");
  assert.ok(refused.length > 0 && outcomes.length - refused.length >= 64);
  for (const outcome of refused) {
    assert.ok(outcome.status === "rejected" && outcome.reason instanceof ExoError);
    assert.equal(outcome.reason.code, "overloaded");
    assert.equal(outcome.reason.retryable, true);
  }
  await stage.decode(batch(3));
  await stage.close();
});

test("jobs run in call order", async () => {
  const stage = await loadRange(tiny.path, WHOLE);
  const order: number[] = [];
  const job = async (index: number) => {
    const rows = encodeRows(rowsOf([5], index));
    await stage.decode(index === 0 ? { rows, kvOperations: RESET } : { rows });
    order.push(index);
  };
  await Promise.all(Array.from({ length: 20 }, (_, index) => job(index)));
  assert.deepEqual(order, [...Array(20).keys()]);
  await stage.close();
});

test("llama.cpp's log lines reach the logger", async () => {
  const lines: string[] = [];
  const note = (fields: object, message: string): void => void lines.push(`${JSON.stringify(fields)} ${message}`);
  const logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
  setNativeLogger(logger);
  await (await loadRange(tiny.path, WHOLE)).close();
  await nextTurn();
  clearNativeLogger();
  const count = lines.length;
  assert.ok(lines.some((line) => line.includes("llama_model_loader")));
  await (await loadRange(tiny.path, WHOLE)).close();
  await nextTurn();
  assert.equal(lines.length, count);
});

test("what somebody sent reaches neither the logger nor standard error", async () => {
  const code = `
    import { setNativeLogger } from ${JSON.stringify(new URL("../../src/native/log.js", import.meta.url).href)};
    import { grammarOfJsonSchema } from ${JSON.stringify(new URL("../../src/native/sampler.js", import.meta.url).href)};
    import { loadRange } from ${JSON.stringify(new URL("../support/stages.js", import.meta.url).href)};
    const say = (fields, message) => console.error(message);
    const logger = { debug: say, info: say, warn: say, error: say, child: () => logger };
    setNativeLogger(logger);
    grammarOfJsonSchema('{"type": "string", "pattern": "^(?=SECRET)a$"}');
    grammarOfJsonSchema('{"type": "string", "pattern": "SECRET"}');
    const stage = await loadRange(${JSON.stringify(tiny.path)}, [0, 4, true]);
    for (const grammar of ["root ::= *\\nSECRET ::= )", "root ::= SECRET", "SECRET ::= SECRET\\n"]) {
      try { stage.createSampler({ grammar }); } catch {}
    }
    await stage.close();
    await new Promise((done) => setTimeout(done, 10));
    console.error("END");
  `;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], { encoding: "utf8" });
  assert.match(stderr, /END/);
  assert.match(stderr, /llama_model_loader/);
  assert.doesNotMatch(stderr, /SECRET/);
});

describe("nothing leaks", () => {
  before(collectAll);

  test("200 times loaded and closed", async () => {
    const cycle = async () => {
      const chain = await Chain.load(tiny.path, [
        [0, 2, false],
        [2, 4, true],
      ]);
      const sampler = chain.last.createSampler({ grammar: 'root ::= "a"*' });
      await chain.logits(rowsOf(someTokens(8)));
      sampler.close();
      await chain.close();
    };
    // buffers, thread stacks and the like reach their size
    for (let round = 0; round < 20; ++round) await cycle();
    await collectAll();
    const before = process.memoryUsage.rss();
    for (let round = 0; round < 90; ++round) await cycle();
    await collectAll();
    const grown = process.memoryUsage.rss() - before;
    assertNothingLeft();
    assert.equal(nativeCounters().activation_buffers_in_use, 0);
    assert.ok(grown < 24 * 2 ** 20, `resident memory grew by ${(grown / 2 ** 20).toFixed(1)} MiB`);
  });

  test("hidden states return to a bounded pool when dropped", async () => {
    const stage = await loadRange(tiny.path, [0, 2, false]);
    for (let round = 0; round < 500; ++round) await stage.decode(batch(64));
    await collectAll();
    assert.equal(nativeCounters().activation_buffers_in_use, 0);
    assert.ok(nativeCounters().activation_bytes_pooled <= 64 * 2 ** 20);
    await stage.close();
  });

  test("V8 counts hidden states as external memory, so that it collects them in time", async () => {
    const stage = await loadRange(tiny.path, [0, 2, false]);
    await collectAll();
    const before = process.memoryUsage().external;
    const kept = [];
    for (let round = 0; round < 20; ++round) kept.push(await stage.decode(batch(64)));
    const bytes = kept.reduce((sum, { activations }) => sum + (activations?.byteLength ?? 0), 0);
    assert.ok(process.memoryUsage().external - before >= bytes);
    await stage.close();
  });

  test("a stage that is dropped without being closed", async () => {
    await (async () => {
      const dropped = await loadRange(tiny.path, WHOLE);
      dropped.createSampler();
    })();
    for (let turn = 0; turn < 50 && nativeCounters().stages > 0; ++turn) await collectAll();
    assertNothingLeft();
  });
});

/** A program in a process or thread of its own, with the modules under test. */
function program(body: string): string {
  const module = (name: string): string => new URL(`../../src/native/${name}.js`, import.meta.url).href;
  return `
    const { Stage } = await import(${JSON.stringify(module("stage"))});
    const { encodeRows } = await import(${JSON.stringify(module("micro-batch"))});
    const load = () => Stage.load({
      modelPath: ${JSON.stringify(tiny.path)}, layerBegin: 0, layerEnd: 4, hasOutput: true, threads: 2, batchSize: 64,
      contextSize: 256,
    });
    const rows = encodeRows(Array.from({ length: 64 }, (_, position) =>
      ({ sequence: 0, position, token: 5, output: false })));
    const kvOperations = Int32Array.of(0, -1, 0, 0, -1, 0);
    ${body}`;
}

describe("the end of a process", () => {
  const run = (body: string) =>
    spawnSync(process.execPath, ["--input-type=module", "--eval", program(body)], {
      timeout: 60_000,
      encoding: "utf8",
    });

  test("comes by itself although a stage is open", () => {
    const { status, signal, stdout, stderr } = run(`
      const stage = await load();
      await stage.decode({ rows, kvOperations });
      console.log("done");`);
    assert.deepEqual({ status, signal, stdout }, { status: 0, signal: null, stdout: "done\n" }, stderr);
  });

  test("waits for what is awaited", () => {
    const { status, stdout } = run(`
      const stage = await load();
      stage.decode({ rows, kvOperations }).then(() => console.log("computed"));`);
    assert.deepEqual({ status, stdout }, { status: 0, stdout: "computed\n" });
  });

  test("process.exit() in the middle of decoding and loading", () => {
    for (const moment of ["await Promise.race([...jobs, loading])", "await 0", "await jobs[0]"]) {
      const { status, signal, stderr } = run(`
        const stage = await load();
        const jobs = Array.from({ length: 40 }, () => stage.decode({ rows, kvOperations }));
        const loading = load();
        ${moment};
        process.exit(7);`);
      assert.deepEqual({ status, signal }, { status: 7, signal: null }, stderr);
    }
  });
});

describe("worker threads", () => {
  const start = (body: string): Worker =>
    new Worker(
      new URL(
        `data:text/javascript,${encodeURIComponent(`import { parentPort } from "node:worker_threads"; ${program(body)}`)}`,
      ),
    );
  const message = (worker: Worker) =>
    new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });

  test("load, decode and end, each with its own stages", async () => {
    const worker = start(`
      const stage = await load();
      const { samples } = await stage.decode({ rows, kvOperations });
      await stage.close();
      parentPort.postMessage(samples.length);`);
    assert.equal(await message(worker), 0);
    await worker.terminate();
    assertNothingLeft();
  });

  test("may be terminated while they load and decode; others go on", async () => {
    const own = await loadRange(tiny.path, WHOLE);
    for (let round = 0; round < 5; ++round) {
      const worker = start(`
        const stage = await load();
        parentPort.postMessage("loaded");
        for (;;) {
          load().catch(() => {});
          await Promise.all(Array.from({ length: 8 }, () => stage.decode({ rows, kvOperations })));
        }`);
      assert.equal(await message(worker), "loaded");
      await worker.terminate();
      await own.decode(batch(4));
      assert.equal(nativeCounters().stages, 1);
    }
    await own.close();
    assertNothingLeft();
  });
});
