import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CONTEXT, END_OF_GENERATION, type HeldPipeline, heldScheduler, RecordedJob } from "../support/held-pipeline.js";

const numbers = (count: number, from: number): number[] => Array.from({ length: count }, (_, index) => from + index);

/** A job that goes on with an answer: what it is given is a prompt, and what of the answer is known. */
function goingOn(prompt: readonly number[], told: readonly number[], alike = false, maxTokens = 4): RecordedJob {
  return Object.assign(new RecordedJob([...prompt, ...told], maxTokens), { begun: { from: prompt.length, alike } });
}

/** Lets the pipeline answer with the token after the last one, and returns what each sample was made of. */
async function pastsOf(pipeline: HeldPipeline): Promise<readonly (readonly number[])[]> {
  const pasts: (readonly number[])[] = [];
  while (pipeline.running.length > 0) {
    pasts.push(...pipeline.first().pasts);
    await pipeline.answer((past) => (past.at(-1) ?? 0) + 1);
  }
  return pasts;
}

describe("a job that goes on with an answer", () => {
  test("is computed in chunks, like a prompt, and asks for one token behind it", async () => {
    const { pipeline, scheduler } = heldScheduler({ slots: 1, microBatch: 32 });
    const job = goingOn(numbers(5, 10), numbers(7, 100));
    scheduler.submit(job);
    assert.equal(pipeline.first().rows.length, 12);
    assert.deepEqual(pipeline.first().pasts, [[...numbers(5, 10), ...numbers(7, 100)]]);
    await pastsOf(pipeline);
    assert.deepEqual(job.tokens, [107, 108, 109, 110]);
  });

  test("is computed as it was where the last bits matter: its prompt, then token by token", async () => {
    const { pipeline, scheduler } = heldScheduler({ slots: 1, microBatch: 32 });
    const job = goingOn(numbers(5, 10), numbers(3, 100), true, 2);
    scheduler.submit(job);
    const rows: number[] = [];
    while (pipeline.running.length > 0) {
      rows.push(pipeline.first().rows.length);
      await pipeline.answer((past) => (past.at(-1) ?? 0) + 1);
    }
    assert.deepEqual(rows, [5, 1, 1, 1, 1]);
    assert.deepEqual(job.tokens, [103, 104]);
  });

  for (const told of [1, 3, 20, 45, 70]) {
    test(`has the context shifted where it was before: ${told} tokens`, async () => {
      const options = { slots: 1, microBatch: 16, more: { contextFull: "shift" } } as const;
      const prompt = numbers(CONTEXT - 2, 3);
      const whole = heldScheduler(options);
      const answer = Object.assign(new RecordedJob(prompt, 80), { keepTokens: 10 });
      whole.scheduler.submit(answer);
      const pasts = await pastsOf(whole.pipeline);
      const again = heldScheduler(options);
      const rest = Object.assign(goingOn(prompt, answer.tokens.slice(0, told), false, 80 - told), { keepTokens: 10 });
      again.scheduler.submit(rest);
      assert.deepEqual(await pastsOf(again.pipeline), pasts.slice(told), "what each token is made of");
      assert.deepEqual(rest.tokens, answer.tokens.slice(told));
    });
  }

  test("comes before those that have yet to begin, and behind those that came before it", async () => {
    const { pipeline, scheduler } = heldScheduler({ slots: 1, microBatch: 32, queue: 5 });
    const order: string[] = [];
    const named = (name: string, job: RecordedJob): RecordedJob =>
      Object.assign(job, { onStarted: () => order.push(name) });
    scheduler.submit(named("running", new RecordedJob([3])));
    scheduler.submit(named("new", new RecordedJob([4])));
    scheduler.submit(named("begun", goingOn([5], [6])));
    scheduler.submit(named("begun later", goingOn([7], [8])));
    while (pipeline.running.length > 0) {
      const { batch } = pipeline.first();
      await pipeline.first().finish(batch.samples.map(() => END_OF_GENERATION));
    }
    assert.deepEqual(order, ["running", "begun", "begun later", "new"]);
  });
});
