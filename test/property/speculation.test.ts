import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ExoError } from "../../src/core/errors.js";
import type { Sampler } from "../../src/native/sampler.js";
import type { Drafter, ModelDraft } from "../../src/runtime/speculation/model-draft.js";
import { Speculator } from "../../src/runtime/speculation/speculator.js";
import { END_OF_GENERATION, type HeldPipeline, heldScheduler, LOST, RecordedJob } from "../support/held-pipeline.js";

const CONTEXT = 256;

/** An answer that mostly goes on as its own text did before, with a slip now and then: drafts are right and wrong. */
class CopyingJob extends RecordedJob {
  override readonly sampler = {} as Sampler;

  constructor(
    prompt: readonly number[],
    maxTokens: number,
    readonly slipEvery: number,
    readonly endsAt: number | null,
  ) {
    super(prompt, maxTokens);
  }

  next(past: readonly number[]): number {
    const index = past.length - this.promptTokens.length;
    if (index === this.endsAt) return END_OF_GENERATION;
    if (index % this.slipEvery === this.slipEvery - 1) return 900 + (index % 7);
    return this.promptTokens[index % this.promptTokens.length] ?? 3;
  }

  /** The whole answer, if nothing ends it early. */
  expected(): number[] {
    const past = [...this.promptTokens];
    const answer: number[] = [];
    while (answer.length < this.maxTokens && answer.at(-1) !== END_OF_GENERATION) {
      const token = this.next(past);
      answer.push(token);
      past.push(token);
    }
    return answer;
  }
}

/** Drafts right or wrong things, at once or when it is stepped. */
class ErraticDrafter implements Drafter {
  readonly secondsPerToken = 0.001;
  readonly secondsPerRow = 0;
  readonly #waiting = new Map<number, () => void>();
  #settled: () => void = () => {};

  constructor(readonly guess: (tokens: readonly number[]) => number) {}

  behind(): number {
    return 1;
  }

  draft(
    sequence: number,
    tokens: readonly number[],
    count: number,
    onDone: (draft: ModelDraft, seconds: number) => void,
  ): void {
    const text = [...tokens];
    for (let index = 0; index < count; index += 1) text.push(this.guess(text));
    const drafted = text.slice(tokens.length);
    this.#waiting.set(sequence, () => onDone({ tokens: drafted, probabilities: drafted.map(() => 0.9) }, 0.001));
  }

  cancel(sequence: number): void {
    const done = this.#waiting.get(sequence);
    this.#waiting.delete(sequence);
    done?.();
  }

  /** Hands out everything. */
  step(): void {
    for (const sequence of [...this.#waiting.keys()]) this.cancel(sequence);
    this.#settled();
  }

  onSettled(listener: () => void): void {
    this.#settled = listener;
  }
}

const token = fc.integer({ min: 3, max: 9 });
const request = fc.record({
  prompt: fc.array(token, { minLength: 1, maxLength: 30 }),
  maxTokens: fc.integer({ min: 1, max: 60 }),
  slipEvery: fc.integer({ min: 2, max: 40 }),
  endsAt: fc.option(fc.nat(60)),
  stopAfter: fc.option(fc.integer({ min: 1, max: 50 }), { freq: 4 }),
  leavesAt: fc.option(fc.nat(60), { freq: 4 }),
  speculation: fc.boolean(),
});

const setting = fc.record({
  stages: fc.integer({ min: 1, max: 3 }),
  slots: fc.integer({ min: 1, max: 4 }),
  microBatch: fc.integer({ min: 1, max: 40 }),
  /** What a pass and a row cost. */
  pass: fc.constantFrom(0, 1, 10),
  withModel: fc.boolean(),
});

async function land(pipeline: HeldPipeline, jobs: readonly CopyingJob[]): Promise<void> {
  const { samples } = pipeline.first().batch;
  await pipeline.answer((past, sample) => {
    const job = jobs.find(({ sampler }) => sampler === samples[sample]?.sampler);
    assert.ok(job !== undefined);
    // Nobody may get what is made of a past with holes: the job fails.
    if (past.includes(LOST)) return LOST;
    // A job that was cancelled got no token of this micro-batch; its past is longer than it knows.
    if (job.outcomes.length === 0) assert.deepEqual(past.slice(0, job.promptTokens.length), job.promptTokens);
    return job.next(past);
  });
}

describe("the scheduler with drafts under any load", () => {
  test("answers as without them, ends every job once and leaves nothing behind", async () => {
    const load = fc.array(request, { minLength: 1, maxLength: 6 });
    const failures = fc.array(fc.nat(120), { maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(setting, load, failures, async ({ pass, withModel, ...options }, requests, failing) => {
        const model = new ErraticDrafter((tokens) => (tokens.length % 5 === 0 ? 8 : (tokens.at(-30) ?? 4)));
        const speculator = new Speculator({
          stageCount: options.stages,
          ngrams: true,
          model: withModel ? model : null,
          perRequest: 31,
          perMicroBatch: 40,
        });
        const { pipeline, scheduler } = heldScheduler({
          ...options,
          queue: 100,
          context: CONTEXT,
          seconds: (rows) => pass + rows / 10,
          more: { speculator },
        });
        const jobs = requests.map(({ prompt, maxTokens, slipEvery, endsAt, stopAfter, speculation }) =>
          Object.assign(new CopyingJob(prompt, maxTokens, slipEvery, endsAt), {
            speculation,
            stopAfter: stopAfter ?? Number.POSITIVE_INFINITY,
          }),
        );
        for (const job of jobs) scheduler.submit(job);
        for (let step = 0; jobs.some(({ outcomes }) => outcomes.length === 0); step += 1) {
          assert.ok(step < 5000, "it goes on");
          requests.forEach(({ leavesAt }, index) => {
            if (leavesAt === step) jobs[index]?.cancel();
          });
          model.step();
          if (pipeline.running.length === 0) continue;
          if (failing.includes(step)) await pipeline.first().fail(new ExoError("internal", "a stage failed"));
          else await land(pipeline, jobs);
        }
        while (pipeline.running.length > 0) await land(pipeline, jobs);
        for (const job of jobs) {
          const expected = job.expected().slice(0, job.stopAfter);
          assert.deepEqual(job.tokens, expected.slice(0, job.tokens.length));
          assert.equal(job.outcomes.length, 1);
          assert.ok(!job.tokens.includes(LOST));
          const [outcome] = job.outcomes;
          if (outcome?.kind === "finished") assert.equal(job.tokens.length, expected.length);
          if (!job.speculation) assert.equal(job.accepted + job.rejected, 0);
          assert.ok(job.accepted < Math.max(1, job.tokens.length));
        }
        const { busySlots, waiting, microBatchesUnderWay } = scheduler.stats();
        assert.deepEqual([busySlots, waiting, microBatchesUnderWay], [0, 0, 0]);
      }),
      { numRuns: 200 },
    );
  });
});
