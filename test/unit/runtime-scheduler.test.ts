import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { CONTEXT, END_OF_GENERATION, RecordedJob, heldScheduler as set } from "../support/held-pipeline.js";

describe("Scheduler", () => {
  test("prefills a prompt, then decodes token by token until the model ends", async () => {
    const { pipeline, scheduler } = set();
    const job = new RecordedJob([5, 6, 7]);
    scheduler.submit(job);
    assert.deepEqual(
      pipeline.first().rows.map(({ token, output }) => [token, output]),
      [
        [5, false],
        [6, false],
        [7, true],
      ],
    );
    await pipeline.first().finish([11]);
    assert.deepEqual(
      pipeline.first().rows.map(({ position, token }) => [position, token]),
      [[3, 11]],
    );
    await pipeline.first().finish([END_OF_GENERATION]);
    assert.deepEqual(job.tokens, [11, END_OF_GENERATION]);
    assert.deepEqual(job.outcomes, [{ kind: "finished", reason: "stop" }]);
    assert.equal(pipeline.running.length, 0);
  });

  test("tells of the first token at once, of later ones when the next micro-batch has left this node", async () => {
    const { pipeline, scheduler } = set({ stages: 2 });
    const job = new RecordedJob([5, 6, 7]);
    scheduler.submit(job);
    await pipeline.first().finish([11]);
    assert.equal(job.delivered, 1);
    await pipeline.first().finish([12]);
    assert.deepEqual([job.tokens.length, job.delivered], [2, 1]);
    pipeline.first().handOver();
    assert.equal(job.delivered, 2);
    await pipeline.first().finish([13]);
    assert.equal(job.delivered, 2);
    await pipeline.first().finish([14]);
    assert.equal(job.delivered, 3, "at the latest when that micro-batch is back");
  });

  test("cuts a long prompt into chunks that follow each other without waiting", async () => {
    const { pipeline, scheduler } = set({ stages: 2, microBatch: 4 });
    const job = new RecordedJob(Array.from({ length: 10 }, (_, index) => index + 10));
    scheduler.submit(job);
    const sizes = () => pipeline.running.map(({ rows }) => rows.length);
    assert.deepEqual(sizes(), [4, 4], "one that the first stage computes, and one to go on with");
    pipeline.first().handOver();
    assert.deepEqual(sizes(), [4, 4, 2]);
    await pipeline.first().finish([]);
    await pipeline.first().finish([]);
    assert.deepEqual(job.tokens, []);
    await pipeline.first().finish([30]);
    assert.deepEqual(job.tokens, [30]);
  });

  test("batches the tokens of running requests and gives the rest of the rows to a new prompt", async () => {
    const { pipeline, scheduler } = set({ slots: 2, microBatch: 4 });
    scheduler.submit(new RecordedJob([1, 3]));
    scheduler.submit(new RecordedJob([4, 5, 6, 7, 8]));
    await pipeline.first().finish([20]);
    assert.deepEqual(
      pipeline.running.map(({ rows }) => rows.map(({ sequence, token }) => [sequence, token])),
      [
        [
          [1, 4],
          [1, 5],
          [1, 6],
          [1, 7],
        ],
        [
          [0, 20],
          [1, 8],
        ],
      ],
    );
  });

  test("on one node requests that are out of step join the group that lands next", async () => {
    const { pipeline, scheduler } = set({ slots: 2 });
    scheduler.submit(new RecordedJob([1]));
    scheduler.submit(new RecordedJob([3]));
    await pipeline.first().finish([20]);
    await pipeline.first().finish([30]);
    assert.deepEqual(
      pipeline.running.map(({ rows }) => rows.map(({ token }) => token)),
      [[20]],
      "the second waits, for two groups would halve the speed",
    );
    await pipeline.first().finish([21]);
    assert.deepEqual(
      pipeline.running.map(({ rows }) => rows.map(({ token }) => token)),
      [[21, 30]],
    );
  });

  test("in a ring running requests go round in groups that follow each other", async () => {
    const { pipeline, scheduler } = set({ stages: 2, slots: 4 });
    for (const token of [3, 4, 5, 6]) scheduler.submit(new RecordedJob([token]));
    for (let step = 0; step < 30; step += 1) {
      const { batch } = pipeline.first();
      await pipeline.first().finish(batch.samples.map((_, index) => 10 + index));
    }
    assert.ok(pipeline.running.length >= 2, "more than one group is under way");
    assert.equal(pipeline.running.flatMap(({ rows }) => rows).length, 4, "every request is in one of them");
  });

  test("a short prompt does not wait until a long one is done, nor a long one for ever", async () => {
    const { pipeline, scheduler } = set({ slots: 3, microBatch: 4 });
    const long = Array.from({ length: 40 }, () => 7);
    scheduler.submit(new RecordedJob(long));
    scheduler.submit(new RecordedJob([3, 4, 5, 6]));
    scheduler.submit(new RecordedJob([3, 4, 5, 6]));
    const order: number[] = [];
    for (let step = 0; step < 6; step += 1) {
      const running = pipeline.first();
      order.push(running.rows[0]?.sequence ?? -1);
      await running.finish(running.batch.samples.map(() => END_OF_GENERATION));
    }
    assert.ok(order.indexOf(1) < 4 && order.indexOf(2) < 6, `served in the order ${order}`);
    assert.ok(order.slice(2).includes(0), `served in the order ${order}`);
  });

  test("stops at maxTokens, at the end of the context, and when the job says so", async () => {
    for (const [job, tokens, reason] of [
      [new RecordedJob([1], 2), 2, "length"],
      [
        new RecordedJob(
          Array.from({ length: CONTEXT - 2 }, () => 1),
          100,
        ),
        3,
        "length",
      ],
      [Object.assign(new RecordedJob([1]), { stopAfter: 3 }), 3, "stop"],
    ] as const) {
      const { pipeline, scheduler } = set({ microBatch: CONTEXT });
      scheduler.submit(job);
      while (pipeline.running.length > 0) await pipeline.first().finish([9]);
      assert.equal(job.tokens.length, tokens);
      assert.deepEqual(job.outcomes, [{ kind: "finished", reason }]);
    }
  });

  test("reuses the longest cached prefix, but always computes the last prompt token", async () => {
    const { pipeline, scheduler } = set({ slots: 2 });
    for (const prompt of [
      [1, 3, 4, 5],
      [1, 6, 7, 8, 9],
    ]) {
      scheduler.submit(new RecordedJob(prompt));
      await pipeline.first().finish([END_OF_GENERATION]);
    }
    const again = new RecordedJob([1, 3, 4, 5]);
    scheduler.submit(again);
    assert.equal(again.cachedTokens, 3);
    assert.deepEqual(pipeline.first().removed, [{ sequence: 0, from: 3 }]);
    assert.deepEqual(
      pipeline.first().rows.map(({ position, token }) => [position, token]),
      [[3, 5]],
    );
  });

  test("computes everything for a request that wants no cache", async () => {
    const { pipeline, scheduler } = set();
    scheduler.submit(new RecordedJob([1, 3, 4]));
    await pipeline.first().finish([END_OF_GENERATION]);
    const again = Object.assign(new RecordedJob([1, 3, 4]), { reusePrefix: false });
    scheduler.submit(again);
    assert.equal(again.cachedTokens, 0);
    assert.equal(pipeline.first().rows.length, 3);
  });

  test("where a sequence cannot be trimmed, reuses it whole or not at all", async () => {
    const { pipeline, scheduler } = set({ slots: 1, canTrim: false });
    scheduler.submit(new RecordedJob([1, 3]));
    await pipeline.first().finish([4]);
    await pipeline.first().finish([END_OF_GENERATION]);
    scheduler.submit(new RecordedJob([1, 3, 4, 5, 6]));
    assert.deepEqual(pipeline.first().operations, []);
    assert.deepEqual(
      pipeline.first().rows.map(({ token }) => token),
      [5, 6],
    );
    await pipeline.first().finish([END_OF_GENERATION]);
    scheduler.submit(new RecordedJob([1, 3, 4, 5, 7]));
    assert.deepEqual(pipeline.first().removed, [{ sequence: 0, from: 0 }]);
    assert.equal(pipeline.first().rows.length, 5);
  });

  test("queues up to its limit, then refuses", async () => {
    const { pipeline, scheduler } = set({ slots: 1, queue: 1 });
    const jobs = [new RecordedJob([1]), new RecordedJob([3])];
    for (const job of jobs) scheduler.submit(job);
    assert.throws(() => scheduler.submit(new RecordedJob([4])), { name: "ExoError", code: "overloaded" });
    await pipeline.first().finish([END_OF_GENERATION]);
    assert.equal(pipeline.first().rows[0]?.token, 3);
  });

  test("with no queue an idle slot is still given away", async () => {
    const { pipeline, scheduler } = set({ slots: 1, queue: 0 });
    scheduler.submit(new RecordedJob([1]));
    assert.throws(() => scheduler.submit(new RecordedJob([3])), { code: "overloaded" });
    await pipeline.first().finish([END_OF_GENERATION]);
    scheduler.submit(new RecordedJob([3]));
    assert.equal(pipeline.first().rows[0]?.token, 3);
  });

  test("a cancelled request ends within the micro-batch that is under way, and others go on", async () => {
    const { pipeline, scheduler } = set();
    const [leaving, staying] = [new RecordedJob([1, 3]), new RecordedJob([4])];
    scheduler.submit(leaving);
    await pipeline.first().finish([10]);
    scheduler.submit(staying);
    leaving.cancel();
    assert.deepEqual(leaving.outcomes, [], "a stage still works on it");
    await pipeline.first().finish([11]);
    assert.deepEqual(leaving.outcomes, [{ kind: "cancelled" }]);
    assert.deepEqual(leaving.tokens, [10]);
    await pipeline.first().finish([END_OF_GENERATION]);
    assert.deepEqual(staying.outcomes, [{ kind: "finished", reason: "stop" }]);
  });

  test("a request cancelled while it waits never starts; one that comes aborted neither", () => {
    const { scheduler } = set({ slots: 1 });
    const [first, waiting, late] = [new RecordedJob([1]), new RecordedJob([3]), new RecordedJob([4])];
    scheduler.submit(first);
    scheduler.submit(waiting);
    waiting.cancel();
    late.cancel();
    scheduler.submit(late);
    assert.deepEqual(waiting.outcomes, [{ kind: "cancelled" }]);
    assert.deepEqual(late.outcomes, [{ kind: "cancelled" }]);
    assert.equal(waiting.cachedTokens, -1);
  });

  test("a failed micro-batch fails its requests only, and its slots are emptied before they are used again", async () => {
    const { pipeline, scheduler } = set({ slots: 1 });
    const failing = new RecordedJob([1, 3, 4]);
    scheduler.submit(failing);
    const next = new RecordedJob([1, 3, 4]);
    scheduler.submit(next);
    const error = new ExoError("context_exceeded", "no room");
    await pipeline.first().fail(error);
    assert.deepEqual(failing.outcomes, [{ kind: "failed", error }]);
    assert.deepEqual(pipeline.first().removed, [{ sequence: 0, from: 0 }]);
    assert.equal(pipeline.first().rows.length, 3);
    await pipeline.first().finish([END_OF_GENERATION]);
    assert.deepEqual(next.outcomes, [{ kind: "finished", reason: "stop" }]);
  });

  test("when the pipeline breaks every request ends with the reason, and none is taken", async () => {
    const { pipeline, scheduler } = set({ slots: 1 });
    const jobs = [new RecordedJob([1]), new RecordedJob([3])];
    for (const job of jobs) scheduler.submit(job);
    const error = new ExoError("stage_lost", "gone");
    pipeline.break(error);
    await pipeline.first().fail(error);
    for (const job of jobs) assert.deepEqual(job.outcomes, [{ kind: "failed", error }]);
    assert.throws(() => scheduler.submit(new RecordedJob([4])), { code: "stage_lost" });
  });

  test("closes when what is under way is back, or soon although a stage hangs", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const error = new ExoError("not_ready", "going down");
    for (const hangs of [false, true]) {
      const { pipeline, scheduler } = set();
      const job = new RecordedJob([5, 6, 7]);
      scheduler.submit(job);
      let closed = false;
      const closing = scheduler.close(error).then(() => {
        closed = true;
      });
      await new Promise((done) => setImmediate(done));
      assert.equal(closed, false);
      if (hangs) t.mock.timers.tick(2000);
      else await pipeline.first().finish([8]);
      await closing;
      assert.equal(pipeline.running.length, hangs ? 1 : 0);
      if (hangs) await pipeline.first().fail(new ExoError("stage_lost", "the pipeline is closed"));
      assert.deepEqual(job.outcomes, [{ kind: "failed", error }]);
    }
  });
});
