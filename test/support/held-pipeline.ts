import assert from "node:assert/strict";
import type { ExoError } from "../../src/core/errors.js";
import { silentLogger } from "../../src/core/ports.js";
import { KV_OPERATION, KV_OPERATION_NUMBERS } from "../../src/native/bindings.js";
import { decodeRows, type Row } from "../../src/native/micro-batch.js";
import type { Sampler } from "../../src/native/sampler.js";
import type { Sample } from "../../src/native/stage.js";
import type { RingBatch } from "../../src/runtime/micro-batch.js";
import type { Pipeline, PipelineResult } from "../../src/runtime/pipeline.js";
import { Scheduler, type SchedulerOptions } from "../../src/runtime/scheduler.js";
import type { EmbeddingJob, GenerationJob, JobOutcome } from "../../src/runtime/slot.js";

export const END_OF_GENERATION = 2;
export const CONTEXT = 64;
/** Stands for what a sequence holds after a micro-batch of it failed. */
export const LOST = -1;

/** The scheduler only hands samplers on. */
const sampler = {} as Sampler;

export interface HeldOperation {
  readonly op: "remove" | "copy" | "add";
  readonly sequence: number;
  readonly destination: number;
  readonly from: number;
  /** -1: to the end. */
  readonly to: number;
  readonly delta: number;
}

export interface Running {
  readonly batch: RingBatch;
  readonly rows: readonly Row[];
  readonly operations: readonly HeldOperation[];
  readonly removed: readonly { readonly sequence: number; readonly from: number }[];
  /** For each sample what its sequence holds up to the sampled row: the past that the answer is made of. */
  readonly pasts: readonly (readonly number[])[];
  /** The head's part is done. */
  handOver(): void;
  finish(tokens: readonly number[]): Promise<void>;
  /** For each sample the tokens chosen, more than one where a draft was right. */
  finishRuns(runs: readonly (readonly number[])[]): Promise<void>;
  /** A stage refused it: what its sequences hold is unknown, also to those computed since. */
  fail(error: ExoError): Promise<void>;
}

interface Frame {
  readonly rows: readonly Row[];
  readonly operations: readonly HeldOperation[];
  pasts: readonly (readonly number[])[];
  failed: boolean;
}

/**
 * A pipeline whose micro-batches end when the test says so. It keeps the tokens of every sequence as a KV cache does, and
 * checks that positions follow each other.
 */
export class HeldPipeline implements Pipeline {
  readonly broken: ExoError | null = null;
  readonly running: Running[] = [];
  readonly #held = new Map<number, number[]>();
  /** All so far, in order. */
  readonly #frames: Frame[] = [];
  #onBroken: (error: ExoError) => void = () => {};

  /** @param seconds what a micro-batch of so many rows takes */
  constructor(
    readonly stageCount: number,
    readonly seconds: (rows: number) => number = (rows) => rows,
  ) {}

  run(batch: RingBatch, onHandedOver: () => void): Promise<PipelineResult> {
    const rows = decodeRows(batch.rows);
    const operations = operationsOf(batch);
    const frame: Frame = { rows, operations, pasts: [], failed: false };
    this.#frames.push(frame);
    this.#compute(frame, { afterFailure: false });
    const sampled = batch.samples.reduce((sum, { drafted = 0 }) => sum + 1 + drafted, 0);
    if (!batch.pooled) assert.equal(frame.pasts.length, sampled, "the rows with output are those to be sampled");
    return new Promise((resolve, reject) => {
      const settle = async (act: () => void): Promise<void> => {
        this.running.splice(this.running.indexOf(running), 1);
        act();
        await new Promise((done) => setImmediate(done));
      };
      const running: Running = {
        batch,
        rows,
        operations,
        removed: operations.filter(({ op }) => op === "remove").map(({ sequence, from }) => ({ sequence, from })),
        get pasts() {
          return frame.pasts;
        },
        handOver: onHandedOver,
        finish: (tokens) => running.finishRuns(tokens.map((token) => [token])),
        finishRuns: (runs) =>
          settle(() => {
            const samples = runs.map((run) => run.map(sampleOf));
            const pooled = batch.pooled ? pooledOf(rows) : null;
            resolve({ samples, pooled, timings: this.#timings(rows.length), way: null });
          }),
        fail: (error) =>
          settle(() => {
            this.#undo(frame);
            reject(error);
          }),
      };
      this.running.push(running);
    });
  }

  /**
   * Ends the oldest micro-batch as a model would that follows a past with `next`: rows with drafts are sampled for as
   * long as the drafts are right. `next` gets the index of the sample, too.
   */
  async answer(next: (past: readonly number[], sample: number) => number): Promise<void> {
    const running = this.first();
    let row = 0;
    const runs = running.batch.samples.map(({ drafted = 0 }, sample) => {
      const pasts = running.pasts.slice(row, row + 1 + drafted);
      row += 1 + drafted;
      const run: number[] = [];
      for (const [index, past] of pasts.entries()) {
        const token = next(past, sample);
        run.push(token);
        if (token === END_OF_GENERATION || pasts[index + 1]?.at(-1) !== token) break;
      }
      return run;
    });
    await running.finishRuns(runs);
  }

  first(): Running {
    const [running] = this.running;
    assert.ok(running !== undefined, "a micro-batch is under way");
    return running;
  }

  break(error: ExoError): void {
    this.#onBroken(error);
  }

  onBroken(callback: (error: ExoError) => void): void {
    this.#onBroken = callback;
  }

  async close(): Promise<void> {}

  #timings(rows: number): PipelineResult["timings"] {
    const seconds = this.seconds(rows);
    return { total: seconds, compute: seconds, queue: 0 };
  }

  #undo(failed: Frame): void {
    failed.failed = true;
    this.#held.clear();
    for (const frame of this.#frames) this.#compute(frame, { afterFailure: true });
  }

  /** After a failure sequences may lack tokens, which become `LOST`. */
  #compute(frame: Frame, { afterFailure }: { readonly afterFailure: boolean }): void {
    for (const operation of frame.operations) this.#apply(operation, afterFailure);
    frame.pasts = frame.rows.flatMap((row) => this.#add(row, afterFailure));
    if (!frame.failed) return;
    const changed = frame.operations.map(({ op, sequence, destination }) => (op === "copy" ? destination : sequence));
    for (const sequence of [...changed, ...frame.rows.map((row) => row.sequence)]) this.#tokens(sequence).fill(LOST);
  }

  #tokens(sequence: number): number[] {
    const tokens = this.#held.get(sequence) ?? [];
    this.#held.set(sequence, tokens);
    return tokens;
  }

  #apply({ op, sequence, destination, from, to, delta }: HeldOperation, afterFailure: boolean): void {
    const tokens = this.#tokens(sequence);
    if (afterFailure) while (tokens.length < to) tokens.push(LOST);
    const end = to < 0 ? tokens.length : to;
    if (op === "copy") {
      assert.equal(from, 0);
      assert.ok(end <= tokens.length, "only what is there can be copied");
      this.#held.set(destination, tokens.slice(0, end));
    } else if (op === "remove") {
      tokens.splice(from, Math.max(0, end - from));
    } else {
      // After a removal in the middle the list has closed the gap already.
      assert.ok(delta < 0 && from + delta >= 0 && to < 0, "what follows a gap moves up to close it");
    }
  }

  #add({ sequence, position, token, output }: Row, afterFailure: boolean): number[][] {
    const tokens = this.#tokens(sequence);
    if (afterFailure) while (tokens.length < position) tokens.push(LOST);
    else assert.equal(position, tokens.length, "positions of a sequence have no gap");
    tokens[position] = token;
    return output ? [tokens.slice(0, position + 1)] : [];
  }
}

/** States of one number, the token. */
function pooledOf(rows: readonly Row[]): Float32Array {
  const sums = new Map<number, number>();
  for (const { sequence, token, output } of rows) if (output) sums.set(sequence, (sums.get(sequence) ?? 0) + token);
  return Float32Array.from(sums.values());
}

const NAMES = new Map<number, HeldOperation["op"]>([
  [KV_OPERATION.remove, "remove"],
  [KV_OPERATION.copy, "copy"],
  [KV_OPERATION.add, "add"],
]);

function operationsOf(batch: RingBatch): HeldOperation[] {
  const list: HeldOperation[] = [];
  for (let at = 0; at < batch.kvOperations.length; at += KV_OPERATION_NUMBERS) {
    const [number = -1, sequence = -1, destination = -1, from = -1, to = -1, delta = 0] =
      batch.kvOperations.subarray(at);
    const op = NAMES.get(number);
    assert.ok(op !== undefined, `operation ${number} is known`);
    list.push({ op, sequence, destination, from, to, delta });
  }
  return list;
}

export function sampleOf(token: number): Sample {
  return { token, isEndOfGeneration: token === END_OF_GENERATION, logprob: null, top: [] };
}

export class RecordedJob implements GenerationJob {
  readonly sampler = sampler;
  readonly logprobs = 0;
  reusePrefix = true;
  speculation = true;
  /** Drafted tokens. */
  accepted = 0;
  rejected = 0;
  keepTokens = 0;
  timeLimitMs: number | null = null;
  readerIsBehind = false;
  #caughtUp: () => void = () => {};
  readonly tokens: number[] = [];
  /** Tokens that the reader knows of. */
  delivered = 0;
  readonly outcomes: JobOutcome[] = [];
  readonly #abort = new AbortController();
  readonly signal: AbortSignal = this.#abort.signal;
  cachedTokens = -1;
  stopAfter = Number.POSITIVE_INFINITY;

  constructor(
    readonly promptTokens: readonly number[],
    readonly maxTokens = CONTEXT - promptTokens.length,
  ) {}

  whenReaderCaughtUp(callback: () => void): void {
    this.#caughtUp = callback;
  }

  /** The reader has read everything. */
  catchUp(): void {
    this.readerIsBehind = false;
    this.#caughtUp();
  }

  cancel(): void {
    this.#abort.abort();
  }

  /** With which error it ended, if it did. */
  get failure(): ExoError | null {
    const [outcome] = this.outcomes;
    return outcome?.kind === "failed" ? outcome.error : null;
  }

  onStarted(cachedTokens: number): void {
    this.cachedTokens = cachedTokens;
  }

  onToken(sample: Sample): boolean {
    this.tokens.push(sample.token);
    return this.tokens.length < this.stopAfter;
  }

  deliver(): void {
    this.delivered = this.tokens.length;
  }

  onDrafted(accepted: number, rejected: number): void {
    this.accepted += accepted;
    this.rejected += rejected;
  }

  onEnd(outcome: JobOutcome): void {
    this.outcomes.push(outcome);
  }
}

export class RecordedText implements EmbeddingJob {
  readonly reusePrefix = false;
  readonly timeLimitMs = null;
  readonly outcomes: JobOutcome[] = [];
  /** The sums of its states. */
  sum = 0;
  readonly #abort = new AbortController();
  readonly signal: AbortSignal = this.#abort.signal;

  constructor(
    readonly promptTokens: readonly number[],
    readonly wanted: EmbeddingJob["wanted"] = "all",
    readonly pieces: EmbeddingJob["pieces"] = "any",
  ) {}

  /** What the sum must come to. */
  get expected(): number {
    const [first = 0] = this.promptTokens;
    if (this.wanted === "first") return first;
    return this.wanted === "last" ? (this.promptTokens.at(-1) ?? 0) : this.promptTokens.reduce((a, b) => a + b, 0);
  }

  cancel(): void {
    this.#abort.abort();
  }

  onStarted(cachedTokens: number): void {
    assert.equal(cachedTokens, 0);
  }

  onStates(sum: Float32Array): void {
    assert.equal(sum.length, 1);
    this.sum += sum[0] ?? 0;
  }

  onEnd(outcome: JobOutcome): void {
    this.outcomes.push(outcome);
  }
}

export interface HeldOptions {
  readonly stages?: number;
  readonly slots?: number;
  readonly microBatch?: number;
  readonly queue?: number;
  readonly canTrim?: boolean;
  readonly context?: number;
  readonly seconds?: (rows: number) => number;
  readonly more?: Partial<SchedulerOptions>;
}

export function heldScheduler(options: HeldOptions = {}) {
  const pipeline = new HeldPipeline(options.stages ?? 1, options.seconds);
  let now = 0;
  const scheduler = new Scheduler({
    pipeline,
    slotCount: options.slots ?? 2,
    contextSize: options.context ?? CONTEXT,
    microBatchSize: options.microBatch ?? 8,
    queueLimit: options.queue ?? 2,
    canTrim: options.canTrim ?? true,
    contextFull: "stop",
    speculator: null,
    clock: { monotonic: () => ++now, wall: () => 0 },
    logger: silentLogger,
    ...options.more,
  });
  return { pipeline, scheduler };
}
