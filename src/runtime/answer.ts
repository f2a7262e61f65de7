import type { AsyncQueue } from "../core/async-queue.js";
import { ExoError } from "../core/errors.js";
import type { FinishReason, InferenceEvent } from "../core/inference.js";
import type { Clock } from "../core/ports.js";
import type { Sampler } from "../native/sampler.js";
import type { Sample, Stage } from "../native/stage.js";
import { AnswerAssembler, type AnswerParser, type DeltaEvent } from "./answer-assembler.js";
import type { GenerationJob, JobOutcome } from "./slot.js";

/** What a prompt becomes before it is scheduled. */
export interface PreparedPrompt {
  readonly tokens: readonly number[];
  readonly stops: readonly string[];
  readonly constraint: string | null;
  readonly preservedTokens: ReadonlySet<number>;
  readonly parser: AnswerParser | null;
  /** As `GenerationJob.keepTokens`. */
  readonly keepTokens: number;
}

export interface AnswerOptions {
  readonly prompt: PreparedPrompt;
  /** Of `prompt.stops`, those that the request names; the template may add its own. */
  readonly requestStops: readonly string[];
  /** As `InferenceRequest.logprobs`. */
  readonly logprobs: number;
  readonly sampler: Sampler;
  readonly maxTokens: number;
  readonly signal: AbortSignal;
  readonly reusePrefix: boolean;
  readonly speculation: boolean;
  readonly timeLimitMs: number | null;
  readonly events: AsyncQueue<InferenceEvent>;
  readonly clock: Clock;
  readonly tokenizer: Stage["tokenizer"];
}

/** About so many tokens may wait for a slow reader; enough that a short stall costs nothing. */
const MOST_UNREAD_EVENTS = 256;

/** One answer in the making: the scheduler's job on one side, the reader's events on the other. */
export class Answer implements GenerationJob {
  readonly promptTokens: readonly number[];
  readonly sampler: Sampler;
  readonly maxTokens: number;
  readonly logprobs: number;
  readonly signal: AbortSignal;
  readonly reusePrefix: boolean;
  readonly speculation: boolean;
  readonly keepTokens: number;
  readonly timeLimitMs: number | null;
  readonly #events: AsyncQueue<InferenceEvent>;
  readonly #clock: Clock;
  readonly #assembler: AnswerAssembler;
  readonly #queuedAt: number;
  readonly #requestStops: readonly string[];
  #startedAt = 0;
  #firstTokenAt = 0;
  #cachedTokens = 0;
  #completionTokens = 0;
  /** Not yet given to the reader. */
  readonly #deltas: DeltaEvent[] = [];
  #draftedTokens = { accepted: 0, rejected: 0 };

  constructor(options: AnswerOptions) {
    const { prompt } = options;
    this.promptTokens = prompt.tokens;
    this.sampler = options.sampler;
    this.maxTokens = options.maxTokens;
    this.logprobs = options.logprobs;
    this.signal = options.signal;
    this.reusePrefix = options.reusePrefix;
    this.speculation = options.speculation;
    this.keepTokens = prompt.keepTokens;
    this.timeLimitMs = options.timeLimitMs;
    this.#events = options.events;
    this.#clock = options.clock;
    this.#queuedAt = options.clock.monotonic();
    this.#requestStops = options.requestStops;
    this.#assembler = new AnswerAssembler({
      tokenizer: options.tokenizer,
      stops: prompt.stops,
      preservedTokens: prompt.preservedTokens,
      parser: prompt.parser,
      withLogprobs: options.logprobs > 0,
    });
  }

  get readerIsBehind(): boolean {
    return this.#events.length >= MOST_UNREAD_EVENTS;
  }

  whenReaderCaughtUp(callback: () => void): void {
    this.#events.whenRead(callback);
  }

  onStarted(cachedTokens: number): void {
    this.#startedAt = this.#clock.monotonic();
    this.#cachedTokens = cachedTokens;
    this.#events.push({ type: "started", promptTokens: this.promptTokens.length, cachedTokens });
  }

  onToken(sample: Sample): boolean {
    if (this.#completionTokens === 0) this.#firstTokenAt = this.#clock.monotonic();
    this.#completionTokens += 1;
    const delta = this.#assembler.push(sample);
    if (delta !== null) this.#deltas.push(delta);
    return !this.#assembler.stopped;
  }

  deliver(): void {
    for (const delta of this.#deltas.splice(0)) this.#events.push(delta);
  }

  onDrafted(accepted: number, rejected: number): void {
    this.#draftedTokens = {
      accepted: this.#draftedTokens.accepted + accepted,
      rejected: this.#draftedTokens.rejected + rejected,
    };
  }

  onEnd(outcome: JobOutcome): void {
    this.sampler.close();
    this.deliver();
    if (outcome.kind === "failed") {
      this.#events.fail(outcome.error);
      return;
    }
    if (outcome.kind === "cancelled") {
      this.#events.fail(new ExoError("cancelled", "The request was cancelled by the client."));
      return;
    }
    const rest = this.#assembler.finish();
    if (rest !== null) this.#events.push(rest);
    this.#events.push(this.#finished(outcome.reason));
    this.#events.end();
  }

  #finished(reason: FinishReason): InferenceEvent {
    const now = this.#clock.monotonic();
    const firstTokenAt = this.#firstTokenAt || now;
    const { stoppedBy } = this.#assembler;
    const stopSequence = stoppedBy !== null && this.#requestStops.includes(stoppedBy) ? stoppedBy : null;
    return {
      type: "finished",
      reason: reason === "stop" && this.#assembler.hasToolCalls ? "tool_calls" : reason,
      ...(stopSequence !== null && { stopSequence }),
      usage: {
        promptTokens: this.promptTokens.length,
        completionTokens: this.#completionTokens,
        cachedTokens: this.#cachedTokens,
        acceptedDraftTokens: this.#draftedTokens.accepted,
        rejectedDraftTokens: this.#draftedTokens.rejected,
      },
      timings: {
        queueSeconds: (this.#startedAt - this.#queuedAt) / 1000,
        prefillSeconds: (firstTokenAt - this.#startedAt) / 1000,
        decodeSeconds: (now - firstTokenAt) / 1000,
      },
    };
  }
}
