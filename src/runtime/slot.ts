import type { ExoError } from "../core/errors.js";
import type { FinishReason } from "../core/inference.js";
import type { Sampler } from "../native/sampler.js";
import type { Sample } from "../native/stage.js";
import type { CachedTokens } from "./cached-tokens.js";
import type { Pass } from "./tracing/passes.js";

/** What the scheduler needs to know of whoever wants a slot. The callbacks must not throw. */
interface SlotJob {
  /** At least one token; the caller has checked that it fits the context. */
  readonly promptTokens: readonly number[];
  readonly signal: AbortSignal;
  /** Tokens of the prompt that a KV cache holds need not be computed again. */
  readonly reusePrefix: boolean;
  /** Whose it is: jobs of different clients take turns. Absent: nobody's in particular. */
  readonly client?: string;
  /** From submission to the end, in milliseconds; `null`: no limit. */
  readonly timeLimitMs: number | null;
  /** A slot was found; `cachedTokens` of the prompt are already in its KV cache. */
  onStarted(cachedTokens: number): void;
  /** Called exactly once, last, when no stage works on this job any more. */
  onEnd(outcome: JobOutcome): void;
}

/** The end of a job's `promptTokens` that are not of its prompt: an answer that was begun by another head. */
export interface BegunPart {
  /** Where it begins. */
  readonly from: number;
  /** Its tokens are computed as they were, each in a pass of its own, so that the last bits are as they were. */
  readonly alike: boolean;
}

/**
 * One request as the scheduler sees it: tokens in, samples out. The prompt leaves room in the context; what was begun of
 * the answer may go beyond it where the context is shifted.
 */
export interface GenerationJob extends SlotJob {
  readonly sampler: Sampler;
  /** `null`, absent: the answer begins here. */
  readonly begun?: BegunPart | null;
  /** Most tokens still to generate, already bounded by the context. */
  readonly maxTokens: number;
  /** As `SampleRequest.logprobs`. */
  readonly logprobs: number;
  /** Tokens may be drafted, and computed together with the one before them. */
  readonly speculation: boolean;
  /** Tokens at the start of the prompt that stay when the context is full and the oldest of the others make way. */
  readonly keepTokens: number;
  /** So much is unread that no more should be generated for now. */
  readonly readerIsBehind: boolean;
  /** Calls back once, when the reader has caught up. */
  whenReaderCaughtUp(callback: () => void): void;
  /** Notes the micro-batches that worked on it; `null`, absent: nobody wants to know. */
  readonly passes?: { landed(pass: Pass): void } | null;
  /** A token was chosen. Return `false` to stop here (a stop string was completed, say). */
  onToken(sample: Sample): boolean;
  /** A good time to tell the reader what came of the tokens so far; called at the latest with the next token. */
  deliver(): void;
  /** So many drafted tokens were right, and so many were computed for nothing. */
  onDrafted(accepted: number, rejected: number): void;
}

/** A text whose embedding is wanted: tokens in, hidden states out. Nothing of it stays in the KV cache. */
export interface EmbeddingJob extends SlotJob {
  readonly reusePrefix: false;
  /** Which of its tokens' states are wanted. */
  readonly wanted: "all" | "first" | "last";
  /** How it may be cut into micro-batches, and what may go with it. */
  readonly pieces: TextPieces;
  /** The sum of the wanted states of one micro-batch; called once for each that has any. */
  onStates(sum: Float32Array): void;
}

/** `any`: like a prompt. `whole`: not cut. `alone`: not cut, and in a micro-batch of its own. */
export type TextPieces = "any" | "whole" | "alone";

export type Job = GenerationJob | EmbeddingJob;

export function isEmbedding(job: Job): job is EmbeddingJob {
  return "onStates" in job;
}

/** It goes on with an answer of which readers know a part. */
export function isBegun(job: Job): boolean {
  return !isEmbedding(job) && (job.begun ?? null) !== null;
}

export type JobOutcome =
  | { readonly kind: "finished"; readonly reason: Exclude<FinishReason, "tool_calls"> }
  | { readonly kind: "cancelled" }
  | { readonly kind: "failed"; readonly error: ExoError };

/**
 * One sequence of the KV cache and the job that uses it. A slot whose job has ended keeps its tokens: the next prompt
 * that begins with them need not be computed again.
 */
export class Slot {
  readonly sequence: number;
  /** Tokens whose KV entries are on every stage or on their way there, in frame order. */
  readonly cached: CachedTokens;
  /** Behind `cached` the stages hold drafted tokens that were wrong; they go before the next row is computed. */
  stale = false;
  job: GenerationJob | null = null;
  /** A text whose embedding is computed here; `job` is `null` then, and `cached` empty. */
  text: EmbeddingJob | null = null;
  /** Of its tokens, those sent. */
  textSent = 0;
  /** The token that the last sample chose and that is not yet computed; `null` while prefilling or waiting. */
  nextToken: number | null = null;
  /** When `nextToken` was chosen; milliseconds of the scheduler's clock. */
  readySince = 0;
  generated = 0;
  /** Of the tokens sent before the first was generated, those that made way when the context was full. */
  shifted = 0;
  /** Nothing is generated until the reader has caught up. */
  paused = false;
  /** Micro-batches under way that hold rows of this slot. */
  underWay = 0;
  /** Set when the job shall end as soon as nothing of it is under way. */
  outcome: JobOutcome | null = null;
  /** Counts admissions, for prompts to be served in order of arrival. */
  order = 0;
  /** How many jobs had been given a slot when this one was of use last. */
  lastUsed = 0;

  constructor(sequence: number, cached: CachedTokens) {
    this.sequence = sequence;
    this.cached = cached;
  }

  get idle(): boolean {
    return this.job === null && this.text === null;
  }

  /** Its prompt is computed and it goes on, token by token. */
  get decoding(): boolean {
    return this.generated > 0 && this.outcome === null;
  }

  /** Prompt tokens that the stages have, or had, or that are on their way there. */
  get promptSent(): number {
    return this.shifted + this.cached.length;
  }

  /** Prompt tokens not yet sent. */
  get promptLeft(): number {
    return this.job === null || this.generated > 0 ? 0 : Math.max(0, this.job.promptTokens.length - this.promptSent);
  }

  /** Tokens of a text to embed that are not yet sent. */
  get textLeft(): number {
    return this.text === null ? 0 : this.text.promptTokens.length - this.textSent;
  }
  /** Its job has ended; the tokens stay. */
  free(): void {
    this.job = null;
    this.text = null;
    this.textSent = 0;
    this.nextToken = null;
    this.generated = 0;
    this.shifted = 0;
    this.paused = false;
    this.outcome = null;
  }
}
