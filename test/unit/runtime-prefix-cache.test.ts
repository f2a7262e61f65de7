import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { END_OF_GENERATION, heldScheduler, RecordedJob } from "../support/held-pipeline.js";

const CONTEXT = 4096;
const MICRO_BATCH = 64;
const set = (slots: number, stages = 1) =>
  heldScheduler({ slots, stages, queue: 100, context: CONTEXT, microBatch: MICRO_BATCH });

/** Tokens that no other `seed` gives. */
const text = (seed: number, length: number): number[] =>
  Array.from({ length }, (_, index) => 10_000 * seed + 3 + index);

const SYSTEM = text(1, 300);

type Held = ReturnType<typeof heldScheduler>;

/** Lets everything end, each answer after its first token. */
async function drain({ pipeline }: Held): Promise<void> {
  while (pipeline.running.length > 0) {
    const running = pipeline.first();
    await running.finish(running.batch.samples.map(() => END_OF_GENERATION));
  }
}

async function ask(held: Held, prompt: readonly number[]): Promise<RecordedJob> {
  const job = new RecordedJob(prompt, 4);
  held.scheduler.submit(job);
  await drain(held);
  assert.deepEqual(job.outcomes, [{ kind: "finished", reason: "stop" }]);
  return job;
}

describe("the prefix cache", () => {
  test("copies a common beginning out of a conversation that stays as it is", async () => {
    const held = set(2);
    await ask(held, [...SYSTEM, ...text(2, 200)]);
    assert.equal((await ask(held, [...SYSTEM, ...text(3, 100)])).cachedTokens, SYSTEM.length);
    assert.equal((await ask(held, [...SYSTEM, ...text(2, 200), ...text(4, 50)])).cachedTokens, 500);
    assert.equal((await ask(held, [...SYSTEM, ...text(3, 100), ...text(5, 50)])).cachedTokens, 400);
  });

  test("copies from a sequence that is still being answered", async () => {
    const held = set(2);
    held.scheduler.submit(new RecordedJob([...SYSTEM, 5], 100));
    for (let chunk = 0; chunk < 5; chunk += 1) await held.pipeline.first().finish(chunk === 4 ? [6] : []);
    const second = new RecordedJob([...SYSTEM, 7], 4);
    held.scheduler.submit(second);
    await held.pipeline.first().finish([8]);
    assert.equal(second.cachedTokens, SYSTEM.length);
    const [copied] = held.pipeline.running.flatMap(({ operations }) => operations);
    assert.deepEqual(copied, { op: "copy", sequence: 0, destination: 1, from: 0, to: SYSTEM.length, delta: 0 });
    await drain(held);
  });

  test("requests that come together compute what they share once", async () => {
    for (const stages of [1, 3]) {
      const held = set(4, stages);
      const jobs = [2, 3, 4, 5].map((seed) => new RecordedJob([...SYSTEM, ...text(seed, 10)], 4));
      for (const job of jobs) held.scheduler.submit(job);
      let rows = 0;
      while (held.pipeline.running.length > 0) {
        const running = held.pipeline.first();
        rows += running.rows.length;
        await running.finish(running.batch.samples.map(() => END_OF_GENERATION));
      }
      assert.deepEqual(
        jobs.map((job) => job.cachedTokens),
        [0, 300, 300, 300],
      );
      assert.equal(rows, SYSTEM.length + 4 * 10);
    }
  });

  test("one that waits for a shared beginning lets others pass, and goes on when the first of them leaves", async () => {
    const held = set(3);
    const [first, follower, other] = [
      new RecordedJob([...SYSTEM, 5], 4),
      new RecordedJob([...SYSTEM, 6], 4),
      new RecordedJob(text(9, 20), 4),
    ];
    for (const job of [first, follower, other]) held.scheduler.submit(job);
    await held.pipeline.first().finish([]);
    assert.equal(other.cachedTokens, 0, "it has a slot");
    assert.equal(follower.cachedTokens, -1, "it waits");
    first.cancel();
    await drain(held);
    assert.deepEqual(first.outcomes, [{ kind: "cancelled" }]);
    assert.deepEqual(follower.outcomes, [{ kind: "finished", reason: "stop" }]);
    assert.ok(follower.cachedTokens >= MICRO_BATCH, "what was computed is used all the same");
  });

  test("when the first of them leaves, the next one computes what they share, and the others wait for it", async () => {
    const held = set(4);
    const jobs = [2, 3, 4].map((seed) => new RecordedJob([...SYSTEM, ...text(seed, 10)], 4));
    for (const job of jobs) held.scheduler.submit(job);
    jobs[0]?.cancel();
    await drain(held);
    assert.equal(jobs[2]?.cachedTokens, SYSTEM.length);
  });

  test("nobody waits for one that has left while a micro-batch of it is still under way", async () => {
    const held = set(4);
    const left = new RecordedJob([...SYSTEM, 5], 4);
    held.scheduler.submit(left);
    left.cancel();
    const jobs = [2, 3].map((seed) => new RecordedJob([...SYSTEM, ...text(seed, 10)], 4));
    for (const job of jobs) held.scheduler.submit(job);
    await drain(held);
    assert.ok((jobs[0]?.cachedTokens ?? 0) < SYSTEM.length);
    assert.equal(jobs[1]?.cachedTokens, SYSTEM.length);
  });

  test("a conversation survives as many strangers as there are other slots", async () => {
    const held = set(4);
    await ask(held, text(1, 1000));
    for (const seed of [2, 3, 4, 5, 6, 7]) await ask(held, text(seed, 50));
    assert.equal((await ask(held, [...text(1, 1000), 5])).cachedTokens, 1000);
  });

  test("what a failed micro-batch left behind is not reused", async () => {
    const held = set(1);
    held.scheduler.submit(new RecordedJob(text(1, 100), 4));
    while (held.pipeline.running.length > 0) await held.pipeline.first().fail(new ExoError("internal", "broken"));
    assert.equal((await ask(held, text(1, 100))).cachedTokens, 0);
  });

  test("who copied what a failed micro-batch was to compute fails with it, and leaves nothing to reuse", async () => {
    const held = set(3, 2);
    const first = new RecordedJob([...SYSTEM.slice(0, 60), 5], 100);
    held.scheduler.submit(first);
    // 61 rows: one micro-batch. The others copy from it while it is under way.
    const followers = [6, 7].map((token) => new RecordedJob([...SYSTEM.slice(0, 60), token], 4));
    for (const job of followers) held.scheduler.submit(job);
    held.pipeline.first().handOver();
    const copies = held.pipeline.running.flatMap(({ operations }) => operations.filter(({ op }) => op === "copy"));
    assert.equal(copies.length, 2, "both copy what is not computed yet");
    const error = new ExoError("internal", "broken");
    await held.pipeline.first().fail(error);
    await drain(held);
    for (const job of [first, ...followers]) assert.equal(job.failure, error);
    assert.equal((await ask(held, [...SYSTEM.slice(0, 60), 8])).cachedTokens, 0);
  });
});
