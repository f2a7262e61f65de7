import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { heldScheduler, RecordedJob } from "../support/held-pipeline.js";
import { SteppedStages } from "../support/stepped-stages.js";

const prompt = (length: number, seed = 1): number[] => Array.from({ length }, (_, index) => 1000 * seed + 3 + index);

/** Steps until the job has its first token. */
async function firstToken(stages: SteppedStages, job: RecordedJob): Promise<number> {
  let steps = 0;
  while (job.tokens.length === 0) {
    await stages.step();
    steps += 1;
    assert.ok(steps < 1000, "it starves");
  }
  return steps;
}

describe("a short prompt beside a prompt of 2048 tokens", () => {
  const set = (stages: number) => heldScheduler({ stages, slots: 4, queue: 10, context: 4096, microBatch: 512 });

  for (const stages of [1, 2, 3, 4, 8]) {
    test(`waits for at most two micro-batches more than alone, with ${stages} stages`, async () => {
      const alone = set(stages);
      const single = new RecordedJob(prompt(20, 5), 4);
      alone.scheduler.submit(single);
      const least = await firstToken(new SteppedStages(alone.pipeline), single);
      for (let begun = 0; begun < 12; begun += 1) {
        const { pipeline, scheduler } = set(stages);
        const steps = new SteppedStages(pipeline);
        scheduler.submit(new RecordedJob(prompt(2048), 4));
        for (let step = 0; step < begun; step += 1) await steps.step();
        const short = new RecordedJob(prompt(20, 5), 4);
        scheduler.submit(short);
        const took = await firstToken(steps, short);
        assert.ok(took <= least + 2, `${took} steps instead of ${least}, when ${begun} had passed`);
        await steps.drain();
      }
    });
  }

  test("its rows do not go together with those of the long one", async () => {
    const { pipeline, scheduler } = set(1);
    const steps = new SteppedStages(pipeline);
    scheduler.submit(new RecordedJob(prompt(2048), 4));
    scheduler.submit(new RecordedJob(prompt(20, 5), 4));
    await steps.step();
    const sizes = pipeline.running.map(({ rows }) => rows.length);
    assert.ok(sizes.includes(20), `micro-batches of ${sizes} rows`);
    await steps.drain();
  });
});

describe("a micro-batch with fewer rows than there are running requests", () => {
  for (const stages of [1, 2, 3]) {
    for (const microBatch of [1, 2, 3]) {
      test(`advances all of them alike: ${microBatch} rows, ${stages} stages`, async () => {
        const { pipeline, scheduler } = heldScheduler({ stages, microBatch, slots: 7, queue: 0 });
        const steps = new SteppedStages(pipeline);
        const jobs = [1, 2, 3, 4, 5, 6, 7].map((seed) => new RecordedJob(prompt(2, seed), 60));
        for (const job of jobs) scheduler.submit(job);
        for (let step = 0; step < 150; step += 1) await steps.step();
        const counts = jobs.map((job) => job.tokens.length);
        assert.ok(Math.min(...counts) > 0.6 * Math.max(...counts), `${counts} tokens`);
        await steps.drain();
      });

      test(`lets a prompt begin while they decode: ${microBatch} rows, ${stages} stages`, async () => {
        const { pipeline, scheduler } = heldScheduler({ stages, microBatch, slots: 5, queue: 0, context: 1000 });
        const steps = new SteppedStages(pipeline);
        for (const seed of [1, 2, 3, 4]) scheduler.submit(new RecordedJob(prompt(2, seed), 900));
        for (let step = 0; step < 40; step += 1) await steps.step();
        const late = new RecordedJob(prompt(20, 5), 4);
        scheduler.submit(late);
        const took = await firstToken(steps, late);
        assert.ok(took <= 3 * 20 + stages, `${took} steps`);
        await steps.drain();
      });
    }
  }
});

describe("200 requests at once", () => {
  test("as many as may wait are answered in order, the others refused, and nothing stays behind", async () => {
    const { pipeline, scheduler } = heldScheduler({ slots: 4, queue: 64, stages: 2, context: 256, microBatch: 32 });
    const steps = new SteppedStages(pipeline);
    const jobs = Array.from({ length: 200 }, (_, index) => new RecordedJob(prompt(10, index + 1), 5));
    const refused: RecordedJob[] = [];
    for (const job of jobs) {
      try {
        scheduler.submit(job);
      } catch (thrown) {
        assert.match(String(thrown), /All 4 slots are taken, and as many requests wait already as may \(\d+\)/);
        refused.push(job);
      }
    }
    assert.equal(refused.length, 200 - 4 - 64);
    const { busySlots, waiting } = scheduler.stats();
    assert.equal(busySlots + waiting, 68);
    while (pipeline.running.length > 0) await steps.step();
    for (const job of jobs.slice(0, 68)) {
      assert.deepEqual(job.outcomes, [{ kind: "finished", reason: "length" }]);
      assert.equal(job.tokens.length, 5);
    }
    for (const job of refused) assert.deepEqual(job.outcomes, []);
    assert.deepEqual(scheduler.stats(), { slots: 4, busySlots: 0, waiting: 0, microBatchesUnderWay: 0 });
  });
});
