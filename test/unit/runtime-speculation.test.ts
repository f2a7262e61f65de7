import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import type { Drafter, ModelDraft } from "../../src/runtime/speculation/model-draft.js";
import { Speculator, type SpeculatorOptions } from "../../src/runtime/speculation/speculator.js";
import {
  CONTEXT,
  END_OF_GENERATION,
  type HeldOptions,
  type HeldPipeline,
  heldScheduler,
  RecordedJob,
} from "../support/held-pipeline.js";

/** A text without a repetition; answers copy it. */
const TEXT = Array.from({ length: 40 }, (_, index) => 100 + index);
/** Ends with what the text begins with, so that the answer begins to copy at once. */
const PROMPT = [...TEXT, 7, 8, ...TEXT.slice(0, 4)];
const CONTEXT_SIZE = 4 * CONTEXT;

/** Every pass takes a second, whatever its rows: drafts cost nothing. */
const flat = (): number => 1;

function speculating(options: HeldOptions = {}, more: Partial<SpeculatorOptions> = {}) {
  const speculator = new Speculator({
    stageCount: options.stages ?? 1,
    ngrams: true,
    model: null,
    perRequest: 31,
    perMicroBatch: 64,
    ...more,
  });
  return heldScheduler({
    microBatch: 64,
    context: CONTEXT_SIZE,
    seconds: flat,
    ...options,
    more: { speculator, ...options.more },
  });
}

/** The answer goes on with what followed in the text, round and round. */
function copying(past: readonly number[]): number {
  const last = past.at(-1) ?? 0;
  return TEXT[(TEXT.indexOf(last) + 1) % TEXT.length] ?? 0;
}

async function drive(pipeline: HeldPipeline, next = copying): Promise<number> {
  let steps = 0;
  for (; pipeline.running.length > 0 && steps < 1000; steps += 1) await pipeline.answer(next);
  return steps;
}

/** Goes on until a micro-batch with drafts is under way. */
async function untilDrafted(pipeline: HeldPipeline): Promise<number> {
  for (let step = 0; step < 60; step += 1) {
    const [sample] = pipeline.first().batch.samples;
    if ((sample?.drafted ?? 0) > 0) return sample?.drafted ?? 0;
    await pipeline.answer(copying);
  }
  throw new Error("nothing was drafted");
}

describe("speculation", () => {
  test("gives the same answer in fewer micro-batches", async () => {
    const [with_, without] = [speculating(), heldScheduler({ microBatch: 64, context: CONTEXT_SIZE })];
    const jobs = [with_, without].map(({ scheduler }) => {
      const job = new RecordedJob(PROMPT, 100);
      scheduler.submit(job);
      return job;
    });
    const [fast, plain] = [await drive(with_.pipeline), await drive(without.pipeline)];
    assert.deepEqual(jobs[0]?.tokens, jobs[1]?.tokens);
    assert.equal(jobs[0]?.tokens.length, 100);
    assert.ok(fast * 3 < plain, `${fast} micro-batches rather than ${plain}`);
    assert.ok((jobs[0]?.accepted ?? 0) > 60);
    assert.equal(jobs[1]?.accepted, 0);
  });

  test("removes rejected tokens everywhere before the next rows, and goes on from what is true", async () => {
    const { pipeline, scheduler } = speculating();
    const job = new RecordedJob(PROMPT, 100);
    scheduler.submit(job);
    const drafted = await untilDrafted(pipeline);
    const { rows } = pipeline.first();
    const position = rows[0]?.position ?? 0;
    assert.ok(drafted > 2);
    let sampled = 0;
    await pipeline.answer((past) => (++sampled === 3 ? 9 : copying(past)));
    assert.deepEqual([job.accepted, job.rejected], [2, drafted - 2]);
    assert.deepEqual(pipeline.first().removed, [{ sequence: 0, from: position + 3 }]);
    assert.deepEqual(
      pipeline
        .first()
        .rows.slice(0, 1)
        .map((row) => [row.position, row.token]),
      [[position + 3, 9]],
    );
  });

  test("an end of the text, a stop and a limit in the middle of a right draft end the answer there", async () => {
    for (const [change, last, reason] of [
      [{}, END_OF_GENERATION, "stop"],
      [{ stopAfter: 0 }, null, "stop"],
    ] as const) {
      const { pipeline, scheduler } = speculating();
      const job = new RecordedJob(PROMPT, 100);
      scheduler.submit(job);
      const drafted = await untilDrafted(pipeline);
      const before = job.tokens.length;
      if (change.stopAfter !== undefined) job.stopAfter = before + 3;
      let sampled = 0;
      await pipeline.answer((past) => (++sampled === 3 && last !== null ? last : copying(past)));
      assert.equal(job.tokens.length, before + 3);
      assert.deepEqual(job.outcomes, [{ kind: "finished", reason }]);
      assert.deepEqual([job.accepted, job.rejected], [2, drafted - 2]);
      assert.equal(pipeline.running.length, 0);
    }
  });

  test("never drafts behind the limit of the answer or the end of the context", async () => {
    for (const maxTokens of [17, 1000]) {
      const { pipeline, scheduler } = speculating({ context: 90 });
      const job = new RecordedJob(PROMPT, maxTokens);
      scheduler.submit(job);
      let last = 0;
      for (; pipeline.running.length > 0; await pipeline.answer(copying)) {
        last = Math.max(last, ...pipeline.first().rows.map(({ position }) => position));
      }
      const most = Math.min(maxTokens, 90 - PROMPT.length + 1);
      assert.equal(job.tokens.length, most);
      assert.deepEqual(job.outcomes, [{ kind: "finished", reason: "length" }]);
      assert.equal(last, PROMPT.length + most - 2, "the last token is chosen, not computed");
      assert.ok(job.accepted > 0);
    }
  });

  test("a slot whose answer ended on a rejected draft holds only true tokens for the next prompt", async () => {
    const { pipeline, scheduler } = speculating({ slots: 1 });
    const job = new RecordedJob(PROMPT, 100);
    scheduler.submit(job);
    await untilDrafted(pipeline);
    let sampled = 0;
    await pipeline.answer((past) => (++sampled === 2 ? END_OF_GENERATION : copying(past)));
    assert.equal(job.outcomes.length, 1);
    const text = [...PROMPT, ...job.tokens.slice(0, -1)];
    const next = new RecordedJob([...text, 5, 6], 1);
    scheduler.submit(next);
    assert.equal(next.cachedTokens, text.length, "all of it, and nothing that was rejected");
    assert.deepEqual(pipeline.first().removed, [{ sequence: 0, from: text.length }]);
    await pipeline.answer((past) => {
      assert.deepEqual(past, [...text, 5, 6]);
      return 9;
    });
    assert.equal(next.outcomes.length, 1);
  });

  test("a request cancelled while its draft is computed ends with it, and its slot is clean", async () => {
    const { pipeline, scheduler } = speculating({ slots: 1 });
    const job = new RecordedJob(PROMPT, 100);
    scheduler.submit(job);
    await untilDrafted(pipeline);
    const tokens = job.tokens.length;
    job.cancel();
    assert.deepEqual(job.outcomes, []);
    await pipeline.answer(copying);
    assert.deepEqual(job.outcomes, [{ kind: "cancelled" }]);
    assert.equal(job.tokens.length, tokens);
    const next = new RecordedJob(PROMPT, 30);
    scheduler.submit(next);
    await drive(pipeline, (past) => {
      assert.deepEqual(past.slice(0, PROMPT.length), PROMPT);
      return copying(past);
    });
    assert.equal(next.tokens.length, 30);
  });

  test("a micro-batch with drafts that fails fails its request only", async () => {
    const { pipeline, scheduler } = speculating({ slots: 1 });
    const job = new RecordedJob(PROMPT, 100);
    scheduler.submit(job);
    await untilDrafted(pipeline);
    const error = new ExoError("internal", "a stage failed");
    await pipeline.first().fail(error);
    assert.deepEqual(job.outcomes, [{ kind: "failed", error }]);
    const next = new RecordedJob(PROMPT, 30);
    scheduler.submit(next);
    assert.equal(next.cachedTokens, 0);
    await drive(pipeline);
    assert.deepEqual(next.outcomes, [{ kind: "finished", reason: "length" }]);
  });

  test("drafts nothing where sequences cannot be trimmed, or for a request that does not want it", async () => {
    for (const [canTrim, speculation] of [
      [false, true],
      [true, false],
    ] as const) {
      const { pipeline, scheduler } = speculating({ canTrim });
      const job = Object.assign(new RecordedJob(PROMPT, 60), { speculation });
      scheduler.submit(job);
      assert.equal(await drive(pipeline), 60);
      assert.equal(job.accepted + job.rejected, 0);
    }
  });

  test("drafts nothing where more rows cost as much as more micro-batches", async () => {
    const { pipeline, scheduler } = speculating({ seconds: (rows) => rows });
    const job = new RecordedJob(PROMPT, 120);
    scheduler.submit(job);
    assert.ok((await drive(pipeline)) >= 110, "but for a try or two");
  });

  test("drafts nothing while a prompt waits to be computed", async () => {
    const { pipeline, scheduler } = speculating({ microBatch: 8 });
    const job = new RecordedJob(PROMPT, 100);
    scheduler.submit(job);
    await untilDrafted(pipeline);
    scheduler.submit(new RecordedJob(Array.from({ length: 60 }, (_, index) => 300 + index)));
    await pipeline.answer(copying);
    for (let step = 0; step < 4; step += 1) {
      for (const { drafted = 0 } of pipeline.first().batch.samples) assert.equal(drafted, 0);
      await pipeline.answer(copying);
    }
  });

  test("costs next to nothing on text whose guesses are wrong", async () => {
    const { pipeline, scheduler } = speculating({ seconds: (rows) => 10 + rows });
    const job = new RecordedJob(PROMPT, 150);
    scheduler.submit(job);
    let seconds = 0;
    for (let step = 0; pipeline.running.length > 0; step += 1) {
      if (step > 0) seconds += 10 + pipeline.first().rows.length;
      // Three right tokens make a guess, and then it is wrong.
      await pipeline.answer((past) => (past.length % 4 === 0 ? (past.length * 7) % 40 : copying(past)));
    }
    assert.equal(job.tokens.length, 150);
    assert.ok(seconds <= 149 * 11 * 1.03 + 20, `${seconds} s rather than ${149 * 11} s`);
  });
});

/** A draft model that answers when the test says so. */
class HeldDrafter implements Drafter {
  secondsPerToken = 0.01;
  secondsPerRow = 0.001;
  readonly asked: { sequence: number; tokens: readonly number[]; count: number }[] = [];
  /** What its drafts took. */
  seconds = 0;
  #answer: ((draft: ModelDraft, seconds: number) => void) | null = null;
  #settled: () => void = () => {};

  behind(): number {
    return 1;
  }

  draft(
    sequence: number,
    tokens: readonly number[],
    count: number,
    onDone: (draft: ModelDraft, seconds: number) => void,
  ): void {
    this.asked.push({ sequence, tokens, count });
    this.#answer = onDone;
  }

  cancel(): void {
    this.answer([]);
  }

  get busy(): boolean {
    return this.#answer !== null;
  }

  answer(tokens: readonly number[]): void {
    const answer = this.#answer;
    this.#answer = null;
    const seconds = this.secondsPerToken * tokens.length;
    this.seconds += seconds;
    answer?.({ tokens, probabilities: tokens.map(() => 0.9) }, seconds);
    this.#settled();
  }

  onSettled(listener: () => void): void {
    this.#settled = listener;
  }
}

describe("a draft model", () => {
  /** What comes next depends on the number of tokens so far: nothing to copy. */
  const counting = (past: readonly number[]): number => 1000 + past.length;
  const next = (tokens: readonly number[], count: number): number[] =>
    Array.from({ length: count }, (_, index) => 1000 + tokens.length + index);

  test("drafts from all tokens so far while the request waits, and the right ones are taken", async () => {
    const model = new HeldDrafter();
    const { pipeline, scheduler } = speculating({}, { ngrams: false, model });
    const job = new RecordedJob([3, 4, 5], 60);
    scheduler.submit(job);
    let steps = 0;
    for (; job.outcomes.length === 0 && steps < 200; steps += 1) {
      if (model.busy) {
        assert.equal(pipeline.running.length, 0, "its next token waits for the draft");
        const asked = model.asked.at(-1);
        assert.deepEqual(asked?.tokens, [3, 4, 5, ...job.tokens]);
        model.answer(next(asked.tokens, asked.count));
      } else {
        await pipeline.answer(counting);
      }
    }
    assert.deepEqual(job.tokens, next([3, 4, 5], 60));
    assert.ok(job.accepted > 40, `${job.accepted} of 60`);
    assert.equal(job.rejected, 0);
  });

  test("that is wrong is asked so seldom that it costs next to nothing", async () => {
    const model = new HeldDrafter();
    const { pipeline, scheduler } = speculating({}, { ngrams: false, model });
    const job = new RecordedJob([3, 4, 5], 200);
    scheduler.submit(job);
    while (job.outcomes.length === 0) {
      if (model.busy) model.answer([8, 8, 8]);
      else await pipeline.answer(counting);
    }
    assert.deepEqual(job.tokens, next([3, 4, 5], 200));
    assert.equal(job.accepted, 0);
    assert.ok(model.seconds <= 0.03 * 200, `it took ${model.seconds} of 200 s`);
  });

  test("that is too slow is not asked at all", async () => {
    const model = Object.assign(new HeldDrafter(), { secondsPerToken: 5 });
    const { pipeline, scheduler } = speculating({}, { ngrams: false, model });
    const job = new RecordedJob([3, 4, 5], 30);
    scheduler.submit(job);
    assert.equal(await drive(pipeline, counting), 30);
    assert.equal(model.asked.length, 0);
  });

  test("reads a long prompt for a long answer, and not for a few tokens", async () => {
    for (const { tokens, asked } of [
      { tokens: 60, asked: true },
      { tokens: 9, asked: false },
    ]) {
      const model = Object.assign(new HeldDrafter(), { behind: () => 1001, secondsPerRow: 0.01 });
      const { pipeline, scheduler } = speculating({}, { ngrams: false, model });
      const job = new RecordedJob([3, 4, 5], tokens);
      scheduler.submit(job);
      while (job.outcomes.length === 0 && !model.busy) await pipeline.answer(counting);
      assert.equal(model.busy, asked, `for ${tokens} tokens`);
    }
  });

  test("at work for a request that is cancelled keeps nobody waiting", async () => {
    const model = new HeldDrafter();
    const { pipeline, scheduler } = speculating({ slots: 1 }, { ngrams: false, model });
    const [job, waiting] = [new RecordedJob([3, 4, 5], 60), new RecordedJob([6], 1)];
    scheduler.submit(job);
    scheduler.submit(waiting);
    while (!model.busy) await pipeline.answer(counting);
    job.cancel();
    assert.deepEqual(job.outcomes, [{ kind: "cancelled" }]);
    assert.ok(!model.busy, "it is told");
    await pipeline.answer(counting);
    assert.deepEqual(waiting.outcomes, [{ kind: "finished", reason: "length" }]);
  });

  test("at work when everything is shut down leaves nothing behind", async () => {
    const model = new HeldDrafter();
    const { pipeline, scheduler } = speculating({}, { ngrams: false, model });
    const job = new RecordedJob([3, 4, 5], 60);
    scheduler.submit(job);
    while (!model.busy) await pipeline.answer(counting);
    const error = new ExoError("not_ready", "going down");
    await scheduler.close(error);
    assert.deepEqual(job.outcomes, [{ kind: "failed", error }]);
    model.answer([1]);
    assert.equal(pipeline.running.length, 0);
  });
});
