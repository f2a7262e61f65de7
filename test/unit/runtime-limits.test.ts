import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { shiftOf } from "../../src/runtime/context-shift.js";
import { CONTEXT, END_OF_GENERATION, heldScheduler, RecordedJob } from "../support/held-pipeline.js";

describe("a time limit", () => {
  const limited = (prompt: number[], milliseconds: number) =>
    Object.assign(new RecordedJob(prompt), { timeLimitMs: milliseconds });

  const set = (context: TestContext, slots: number) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    return { ...heldScheduler({ slots }), tick: (milliseconds: number) => context.mock.timers.tick(milliseconds) };
  };

  test("counts the wait for a slot, and fails a request that got none", (context) => {
    const { scheduler, tick } = set(context, 1);
    scheduler.submit(new RecordedJob([1]));
    const waiting = limited([3], 2000);
    scheduler.submit(waiting);
    tick(1999);
    assert.deepEqual(waiting.outcomes, []);
    tick(1);
    assert.equal(waiting.failure?.code, "deadline_exceeded");
    assert.match(waiting.failure?.message ?? "", /2 s at most, and waited for a slot/);
    assert.equal(scheduler.stats().waiting, 0);
  });

  test("fails a request whose prompt is not computed in time, when no stage works on it any more", async (context) => {
    const { pipeline, scheduler, tick } = set(context, 1);
    const job = limited([1, 3], 500);
    scheduler.submit(job);
    tick(500);
    assert.deepEqual(job.outcomes, []);
    await pipeline.first().finish([9]);
    assert.deepEqual(job.tokens, []);
    assert.equal(job.failure?.code, "deadline_exceeded");
    assert.equal(pipeline.running.length, 0);
  });

  test("finishes an answer that has begun with what there is", async (context) => {
    const { pipeline, scheduler, tick } = set(context, 1);
    const job = limited([1, 3], 500);
    scheduler.submit(job);
    await pipeline.first().finish([9]);
    tick(500);
    await pipeline.first().finish([10]);
    assert.deepEqual(job.tokens, [9]);
    assert.deepEqual(job.outcomes, [{ kind: "finished", reason: "length" }]);
  });

  test("is forgotten when the request ends before", async (context) => {
    const { pipeline, scheduler, tick } = set(context, 1);
    const job = limited([1, 3], 500);
    scheduler.submit(job);
    await pipeline.first().finish([END_OF_GENERATION]);
    tick(1000);
    assert.deepEqual(job.outcomes, [{ kind: "finished", reason: "stop" }]);
  });
});

describe("a reader that is behind", () => {
  test("pauses its own answer and nobody else's, until it has caught up", async () => {
    const { pipeline, scheduler } = heldScheduler();
    const [slow, other] = [new RecordedJob([1]), new RecordedJob([3])];
    for (const job of [slow, other]) scheduler.submit(job);
    await pipeline.first().finish([10]);
    await pipeline.first().finish([20]);
    slow.readerIsBehind = true;
    for (let step = 0; step < 10; step += 1) {
      const { batch } = pipeline.first();
      await pipeline.first().finish(batch.samples.map(() => 30 + step));
    }
    const reached = slow.tokens.length;
    assert.ok(reached <= 2, `${reached} tokens`);
    assert.ok(other.tokens.length > 7);
    slow.catchUp();
    for (let step = 0; step < 4; step += 1) {
      const { batch } = pipeline.first();
      await pipeline.first().finish(batch.samples.map(() => 50 + step));
    }
    assert.ok(slow.tokens.length > reached);
  });

  test("that goes away frees its slot", async () => {
    const { pipeline, scheduler } = heldScheduler({ slots: 1 });
    const slow = Object.assign(new RecordedJob([1]), { readerIsBehind: true });
    scheduler.submit(slow);
    await pipeline.first().finish([10]);
    assert.equal(pipeline.running.length, 0, "it is paused");
    const next = new RecordedJob([3]);
    scheduler.submit(next);
    slow.cancel();
    assert.deepEqual(slow.outcomes, [{ kind: "cancelled" }]);
    await pipeline.first().finish([END_OF_GENERATION]);
    assert.deepEqual(next.outcomes, [{ kind: "finished", reason: "stop" }]);
    slow.catchUp();
    assert.equal(pipeline.running.length, 0);
  });
});

describe("a full context", () => {
  test("is shifted where that is wanted: the kept tokens stay, half of the others go", async () => {
    const { pipeline, scheduler } = heldScheduler({ slots: 1, more: { contextFull: "shift" }, microBatch: CONTEXT });
    const prompt = Array.from({ length: CONTEXT - 2 }, (_, index) => index + 3);
    const job = Object.assign(new RecordedJob(prompt, 50), { keepTokens: 10 });
    scheduler.submit(job);
    let shifts = 0;
    for (let token = 100; job.outcomes.length === 0; token += 1) {
      const running = pipeline.first();
      const [past = []] = running.pasts;
      assert.ok(past.length <= CONTEXT);
      assert.deepEqual(past.slice(0, 10), prompt.slice(0, 10));
      if (token > 100) assert.equal(past.at(-1), token - 1, "it goes on from the last token");
      const [first, second] = running.operations;
      if (second !== undefined) {
        assert.deepEqual([first?.op, first?.from, first?.to], ["remove", 10, 37]);
        assert.deepEqual([second.op, second.from, second.delta], ["add", 37, -27]);
        shifts += 1;
      }
      await running.finish([token]);
    }
    assert.equal(shifts, 2);
    assert.equal(job.tokens.length, 50);
    assert.deepEqual(job.outcomes, [{ kind: "finished", reason: "length" }]);
  });

  test("a shifted sequence is reused by nobody, and cleared for the next prompt", async () => {
    const { pipeline, scheduler } = heldScheduler({ slots: 1, more: { contextFull: "shift" }, microBatch: CONTEXT });
    const prompt = Array.from({ length: CONTEXT - 2 }, (_, index) => index + 3);
    scheduler.submit(new RecordedJob(prompt, 6));
    while (pipeline.running.length > 0) await pipeline.first().finish([9]);
    const again = new RecordedJob(prompt, 1);
    scheduler.submit(again);
    assert.equal(again.cachedTokens, 0);
    assert.deepEqual(pipeline.first().removed, [{ sequence: 0, from: 0 }]);
    assert.deepEqual(pipeline.first().pasts, [prompt]);
  });

  test("keeps at least a few tokens, and drops something even if all were to be kept", () => {
    assert.deepEqual(shiftOf(100, 0), { keep: 4, drop: 48 });
    assert.deepEqual(shiftOf(100, 40), { keep: 40, drop: 30 });
    assert.deepEqual(shiftOf(100, 1000), { keep: 75, drop: 13 });
    assert.deepEqual(shiftOf(16, 1000), { keep: 12, drop: 2 });
  });
});
