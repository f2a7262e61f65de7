import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { END_OF_GENERATION, RecordedJob, RecordedText, heldScheduler as set } from "../support/held-pipeline.js";

const tokens = (count: number, first = 100): number[] => Array.from({ length: count }, (_, index) => first + index);

describe("texts to embed", () => {
  test("are computed in pieces, and end with the sum of what was wanted", async () => {
    const { pipeline, scheduler } = set({ microBatch: 8 });
    const text = new RecordedText(tokens(20));
    scheduler.submit(text);
    assert.deepEqual(
      pipeline.running.map(({ batch, rows }) => [batch.pooled, rows.length]),
      [
        [true, 8],
        [true, 8],
      ],
    );
    while (pipeline.running.length > 0) await pipeline.first().finish([]);
    assert.deepEqual(text.outcomes, [{ kind: "finished", reason: "stop" }]);
    assert.equal(text.sum, text.expected);
  });

  test("give the states of one row where one stands for the text", async () => {
    for (const wanted of ["first", "last"] as const) {
      const { pipeline, scheduler } = set({ microBatch: 8 });
      const text = new RecordedText(tokens(20), wanted);
      scheduler.submit(text);
      const outputs: number[] = [];
      while (pipeline.running.length > 0) {
        outputs.push(...pipeline.first().rows.flatMap(({ output, position }) => (output ? [position] : [])));
        await pipeline.first().finish([]);
      }
      assert.deepEqual(outputs, [wanted === "first" ? 0 : 19]);
      assert.equal(text.sum, text.expected);
    }
  });

  test("leave nothing in the cache that a prompt could begin with, and take nothing out of it", async () => {
    const { pipeline, scheduler } = set({ slots: 1, microBatch: 64 });
    const same = tokens(20);
    scheduler.submit(new RecordedText(same));
    await pipeline.first().finish([]);
    const job = new RecordedJob(same);
    scheduler.submit(job);
    assert.equal(job.cachedTokens, 0);
    assert.deepEqual(pipeline.first().removed, [{ sequence: 0, from: 0 }]);
    await pipeline.first().finish([END_OF_GENERATION]);
    scheduler.submit(new RecordedText(same));
    assert.equal(pipeline.first().rows.length, 20, "all of it is computed");
    await pipeline.first().finish([]);
  });

  test("prefer a slot in which nobody's conversation is kept", async () => {
    const { pipeline, scheduler } = set({ slots: 2, microBatch: 64 });
    scheduler.submit(new RecordedJob(tokens(30)));
    await pipeline.first().finish([END_OF_GENERATION]);
    for (let round = 0; round < 3; round += 1) {
      scheduler.submit(new RecordedText(tokens(10, 300)));
      await pipeline.first().finish([]);
    }
    const again = new RecordedJob(tokens(31));
    scheduler.submit(again);
    assert.equal(again.cachedTokens, 30);
    await pipeline.first().finish([END_OF_GENERATION]);
  });

  test("take turns with answers: no token waits for two micro-batches of them", async () => {
    const { pipeline, scheduler } = set({ slots: 3, microBatch: 8 });
    const job = new RecordedJob([5, 6]);
    scheduler.submit(job);
    await pipeline.first().finish([11]);
    scheduler.submit(new RecordedText(tokens(60)));
    scheduler.submit(new RecordedText(tokens(60)));
    const order: string[] = [];
    for (let step = 0; step < 20; step += 1) {
      const { batch } = pipeline.first();
      order.push(batch.pooled ? "text" : "token");
      await pipeline.first().finish(batch.pooled ? [] : [12]);
    }
    assert.ok(!order.join(" ").includes("text text"), order.join(" "));
    assert.ok(order.filter((kind) => kind === "text").length >= 8, order.join(" "));
  });

  test("do not hold up a prompt", async () => {
    const { pipeline, scheduler } = set({ slots: 2, microBatch: 8 });
    scheduler.submit(new RecordedText(tokens(60)));
    const job = new RecordedJob([5, 6]);
    scheduler.submit(job);
    for (let step = 0; step < 4 && job.tokens.length === 0; step += 1) {
      await pipeline.first().finish(pipeline.first().batch.pooled ? [] : [11]);
    }
    assert.deepEqual(job.tokens, [11]);
  });

  test("that must not be cut go whole, several at a time", async () => {
    const { pipeline, scheduler } = set({ slots: 3, microBatch: 16 });
    const texts = [7, 6, 5].map((count, index) => new RecordedText(tokens(count, 100 * (index + 1)), "all", "whole"));
    for (const text of texts) scheduler.submit(text);
    const sizes: number[][] = [];
    while (pipeline.running.length > 0) {
      const { rows } = pipeline.first();
      sizes.push([0, 1, 2].map((sequence) => rows.filter((row) => row.sequence === sequence).length));
      await pipeline.first().finish([]);
    }
    assert.ok(sizes.every((each) => each.every((count, sequence) => [0, 7 - sequence].includes(count))));
    for (const text of texts) assert.equal(text.sum, text.expected);
  });

  test("that must be alone are", async () => {
    const { pipeline, scheduler } = set({ slots: 3, microBatch: 16 });
    const texts = [3, 4].map((count) => new RecordedText(tokens(count), "last", "alone"));
    for (const text of texts) scheduler.submit(text);
    while (pipeline.running.length > 0) {
      assert.equal(new Set(pipeline.first().rows.map(({ sequence }) => sequence)).size, 1);
      await pipeline.first().finish([]);
    }
    for (const text of texts) assert.equal(text.sum, text.expected);
  });

  test("end when nobody wants them any more, waiting or under way", async () => {
    const { pipeline, scheduler } = set({ slots: 1, microBatch: 8 });
    const [first, second] = [new RecordedText(tokens(30)), new RecordedText(tokens(30))];
    scheduler.submit(first);
    scheduler.submit(second);
    second.cancel();
    assert.deepEqual(second.outcomes, [{ kind: "cancelled" }]);
    first.cancel();
    while (pipeline.running.length > 0) await pipeline.first().finish([]);
    assert.deepEqual(first.outcomes, [{ kind: "cancelled" }]);
    assert.equal(scheduler.stats().busySlots, 0);
  });

  test("fail with their micro-batch, and with the ring", async () => {
    const { pipeline, scheduler } = set({ slots: 2, microBatch: 64 });
    const text = new RecordedText(tokens(10));
    scheduler.submit(text);
    const error = new ExoError("internal", "A stage failed.");
    await pipeline.first().fail(error);
    assert.deepEqual(text.outcomes, [{ kind: "failed", error }]);
    const later = new RecordedText(tokens(10));
    scheduler.submit(later);
    const lost = new ExoError("stage_lost", "The ring is gone.");
    pipeline.break(lost);
    await pipeline.first().fail(lost);
    assert.deepEqual(later.outcomes, [{ kind: "failed", error: lost }]);
    assert.throws(() => scheduler.enqueue(new RecordedText(tokens(3))), lost);
  });
});
