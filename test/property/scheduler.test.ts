import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { ExoError } from "../../src/core/errors.js";
import {
  END_OF_GENERATION,
  type HeldPipeline,
  heldScheduler,
  LOST,
  RecordedJob,
  RecordedText,
} from "../support/held-pipeline.js";

const CONTEXT = 128;

/** Prompts of a few shared pieces, so that they have beginnings in common. */
const piece = fc.constantFrom(
  ...[1, 2, 3, 4].map((seed) => Array.from({ length: 7 * seed }, (_, index) => 100 * seed + index)),
);
const prompt = fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.flat());

const request = fc.record({
  prompt,
  maxTokens: fc.integer({ min: 1, max: 12 }),
  /** Steps until it comes, and until its client leaves. */
  comesAt: fc.nat(30),
  leavesAt: fc.option(fc.nat(60), { freq: 4 }),
  reusePrefix: fc.boolean(),
  pauses: fc.boolean(),
});

/** A text to embed. */
const text = fc.record({
  tokens: fc.array(fc.integer({ min: 3, max: 500 }), { minLength: 1, maxLength: 60 }),
  wanted: fc.constantFrom("all", "first", "last"),
  comesAt: fc.nat(30),
  leavesAt: fc.option(fc.nat(60), { freq: 4 }),
});

const setting = fc.record({
  stages: fc.integer({ min: 1, max: 4 }),
  slots: fc.integer({ min: 1, max: 5 }),
  microBatch: fc.integer({ min: 1, max: 40 }),
  canTrim: fc.boolean(),
});

/** What the pipeline does at each step: how the oldest micro-batch ends. */
const ending = fc.constantFrom("lands", "lands", "lands", "lands", "lands", "fails", "leaves the first stage");

/** A job with an answer that depends on its prompt alone. */
class CheckedJob extends RecordedJob {
  /** What the stages must hold of it when they choose its next token. */
  get past(): readonly number[] {
    return [...this.promptTokens, ...this.tokens];
  }
}

/** Samples of the oldest micro-batch, each made for the job whose past its sequence holds: there must be one. */
async function land(pipeline: HeldPipeline, jobs: readonly CheckedJob[]): Promise<void> {
  const running = pipeline.first();
  if (running.batch.pooled) return running.finish([]);
  const tokens = running.pasts.map((past) => {
    // Nobody may get what is made of a past with holes: the request fails.
    if (past.includes(LOST)) return LOST;
    const owners = jobs.filter((one) => isDeepStrictEqual(one.past, past));
    assert.ok(owners.length > 0, `no request has the past ${past.join(" ")}`);
    const job = owners.find((one) => one.outcomes.length === 0);
    // Nobody will look at it.
    return job === undefined ? END_OF_GENERATION : 1000 + job.tokens.length;
  });
  await running.finish(tokens);
}

describe("the scheduler under any load", () => {
  test("computes every answer and embedding from its own text, ends every job once and leaves no slot behind", async () => {
    const load = fc.array(request, { minLength: 1, maxLength: 10 });
    const texts = fc.array(text, { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        setting,
        load,
        texts,
        fc.array(ending, { maxLength: 80 }),
        async (options, requests, toEmbed, endings) => {
          const { pipeline, scheduler } = heldScheduler({ ...options, queue: 100, context: CONTEXT });
          const jobs = requests.map(({ prompt, maxTokens, reusePrefix, pauses }) =>
            Object.assign(new CheckedJob(prompt, maxTokens), { reusePrefix, readerIsBehind: pauses }),
          );
          const embedded = toEmbed.map(({ tokens, wanted }) => new RecordedText(tokens, wanted));
          for (let step = 0; step < 5000; step += 1) {
            toEmbed.forEach(({ comesAt, leavesAt }, index) => {
              const one = embedded[index];
              if (comesAt === step && one !== undefined) scheduler.submit(one);
              if (leavesAt !== null && leavesAt + comesAt === step) one?.cancel();
            });
            requests.forEach(({ comesAt, leavesAt }, index) => {
              const job = jobs[index];
              if (comesAt === step && job !== undefined) scheduler.submit(job);
              if (leavesAt !== null && leavesAt + comesAt === step) job?.cancel();
              if (step % 5 === 0) job?.catchUp();
            });
            if (pipeline.running.length === 0) {
              if (step > 100) break;
              continue;
            }
            const end = endings[step] ?? "lands";
            if (end === "fails") await pipeline.first().fail(new ExoError("internal", "a stage failed"));
            else if (end === "leaves the first stage") pipeline.first().handOver();
            else await land(pipeline, jobs);
          }
          for (const [index, job] of jobs.entries()) {
            assert.equal(job.outcomes.length, 1, `job ${index} ended ${job.outcomes.length} times`);
            assert.ok(!job.tokens.includes(LOST));
            const [outcome] = job.outcomes;
            if (outcome?.kind === "finished") assert.equal(job.tokens.length, job.maxTokens);
          }
          for (const one of embedded) {
            assert.equal(one.outcomes.length, 1, "a text ends once");
            if (one.outcomes[0]?.kind === "finished") assert.equal(one.sum, one.expected);
          }
          const { busySlots, waiting, microBatchesUnderWay } = scheduler.stats();
          assert.deepEqual([busySlots, waiting, microBatchesUnderWay], [0, 0, 0]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
