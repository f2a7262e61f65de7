import type { AsyncQueue } from "../core/async-queue.js";
import { ExoError } from "../core/errors.js";
import type { FinishReason, InferenceEvent, Resumption, Usage } from "../core/inference.js";
import type { Clock } from "../core/ports.js";
import type { Sampler } from "../native/sampler.js";
import type { Sample, Stage } from "../native/stage.js";
import { AnswerAssembler, type AnswerParser, type DeltaEvent } from "./answer-assembler.js";
import type { ObservedAnswer } from "./answer-observer.js";
import type { BegunPart, GenerationJob, JobOutcome } from "./slot.js";
import type { AnswerTrace } from "./tracing/answer-trace.js";

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
  /** Of the whole answer. */
  readonly maxTokens: number;
  /** What of it another head gave; `null`: it begins here. */
  readonly resume: Resumption | null;
  readonly signal: AbortSignal;
  readonly client: string;
  readonly reusePrefix: boolean;
  readonly speculation: boolean;
  readonly timeLimitMs: number | null;
  readonly events: AsyncQueue<InferenceEvent>;
  readonly clock: Clock;
  readonly tokenizer: Stage["tokenizer"];
  readonly observed: ObservedAnswer;
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
  readonly client: string;
  readonly reusePrefix: boolean;
  readonly speculation: boolean;
  readonly keepTokens: number;
  readonly timeLimitMs: number | null;
  readonly begun: BegunPart | null;
  readonly passes: AnswerTrace | null;
  readonly #observed: ObservedAnswer;
  readonly #events: AsyncQueue<InferenceEvent>;
  readonly #clock: Clock;
  readonly #assembler: AnswerAssembler;
  readonly #queuedAt: number;
  readonly #requestStops: readonly string[];
  readonly #withLogprobs: boolean;
  /** Of the request; a resumed answer's `promptTokens` go on with its own. */
  readonly #promptLength: number;
  #startedAt = 0;
  #firstTokenAt = 0;
  #lastTokenAt = 0;
  #cachedTokens = 0;
  #completionTokens: number;
  /** Of this head. */
  #ownTokens = 0;
  /** Not yet given to the reader. */
  readonly #deltas: DeltaEvent[] = [];
  /** Tokens that no event names yet. */
  #unnamed: number[] = [];
  #draftedTokens = { accepted: 0, rejected: 0 };

  constructor(options: AnswerOptions) {
    const { prompt, resume } = options;
    const begun = resume?.tokens ?? [];
    this.begun = begun.length === 0 ? null : { from: prompt.tokens.length, alike: !options.reusePrefix };
    this.promptTokens = begun.length === 0 ? prompt.tokens : [...prompt.tokens, ...begun];
    this.#promptLength = prompt.tokens.length;
    this.#completionTokens = begun.length;
    this.sampler = options.sampler;
    this.maxTokens = options.maxTokens - begun.length;
    this.logprobs = options.logprobs;
    this.signal = options.signal;
    this.client = options.client;
    this.reusePrefix = options.reusePrefix;
    this.speculation = options.speculation;
    this.keepTokens = prompt.keepTokens;
    this.timeLimitMs = options.timeLimitMs;
    this.passes = options.observed.trace;
    this.#observed = options.observed;
    this.#events = options.events;
    this.#clock = options.clock;
    this.#queuedAt = options.clock.monotonic();
    this.#requestStops = options.requestStops;
    this.#withLogprobs = options.logprobs > 0;
    this.#assembler = new AnswerAssembler({
      tokenizer: options.tokenizer,
      stops: prompt.stops,
      preservedTokens: prompt.preservedTokens,
      parser: prompt.parser,
      withLogprobs: this.#withLogprobs,
    });
    this.#assembler.resume(begun, this.#withLogprobs ? (resume?.held ?? []) : []);
  }

  /** Nothing is left to generate of an answer that was begun elsewhere: how it ends, else `null`. */
  get ended(): Extract<JobOutcome, { kind: "finished" }> | null {
    if (this.begun === null) return null;
    if (this.#assembler.stopped) return { kind: "finished", reason: "stop" };
    const isOver = this.maxTokens <= 0 || (this.timeLimitMs !== null && this.timeLimitMs <= 0);
    return isOver ? { kind: "finished", reason: "length" } : null;
  }

  get readerIsBehind(): boolean {
    return this.#events.length >= MOST_UNREAD_EVENTS;
  }

  whenReaderCaughtUp(callback: () => void): void {
    this.#events.whenRead(callback);
  }

  onStarted(cachedTokens: number): void {
    this.#startedAt = this.#clock.monotonic();
    this.#cachedTokens = Math.min(cachedTokens, this.#promptLength);
    const { meter } = this.#observed;
    meter.queue.observe((this.#startedAt - this.#queuedAt) / 1000);
    meter.promptTokens += this.promptTokens.length;
    meter.cachedTokens += cachedTokens;
    this.passes?.queued(this.#queuedAt, cachedTokens);
    this.#events.push({ type: "started", promptTokens: this.#promptLength, cachedTokens: this.#cachedTokens });
  }

  onToken(sample: Sample): boolean {
    const now = this.#clock.monotonic();
    this.#measure(now);
    this.#completionTokens += 1;
    this.#ownTokens += 1;
    const delta = this.#assembler.push(sample);
    this.#unnamed.push(sample.token);
    this.passes?.detokenized(now);
    if (delta !== null) this.#deltas.push(this.#naming(delta));
    return !this.#assembler.stopped;
  }

  deliver(): void {
    for (const delta of this.#deltas.splice(0)) this.#events.push(delta);
  }

  onDrafted(accepted: number, rejected: number): void {
    this.#observed.meter.acceptedDraftTokens += accepted;
    this.#observed.meter.rejectedDraftTokens += rejected;
    this.#draftedTokens = {
      accepted: this.#draftedTokens.accepted + accepted,
      rejected: this.#draftedTokens.rejected + rejected,
    };
  }

  onEnd(outcome: JobOutcome): void {
    this.sampler.close();
    this.deliver();
    if (outcome.kind === "failed") {
      this.#tell(outcome.error.code);
      this.#events.fail(outcome.error);
      return;
    }
    if (outcome.kind === "cancelled") {
      this.#tell("cancelled");
      this.#events.fail(new ExoError("cancelled", "The request was cancelled by the client."));
      return;
    }
    const rest = this.#assembler.finish();
    if (rest !== null) this.#events.push(rest);
    this.#tell(this.#reasonOf(outcome.reason));
    this.#events.push(this.#finished(outcome.reason));
    this.#events.end();
  }

  /** An event with the tokens that lead to it. */
  #naming(delta: DeltaEvent): DeltaEvent {
    const tokens = this.#unnamed;
    this.#unnamed = [];
    const held = this.#withLogprobs ? this.#assembler.held : [];
    return { ...delta, tokens, ...(held.length > 0 && { held }) };
  }

  /** At each token. */
  #measure(now: number): void {
    const { meter, arrivedAt } = this.#observed;
    if (this.#ownTokens === 0) {
      this.#firstTokenAt = now;
      if (this.begun === null) meter.firstToken.observe((now - arrivedAt) / 1000);
    } else {
      meter.betweenTokens.observe((now - this.#lastTokenAt) / 1000);
    }
    this.#lastTokenAt = now;
    meter.generatedTokens += 1;
  }

  /** @param outcome the finish reason, or an error's code */
  #tell(outcome: string): void {
    const more = this.#ownTokens - 1;
    if (more > 0) this.#observed.meter.perToken.observe((this.#lastTokenAt - this.#firstTokenAt) / 1000 / more);
    this.#observed.ended(outcome, this.#usage());
  }

  #reasonOf(reason: FinishReason): FinishReason {
    return reason === "stop" && this.#assembler.hasToolCalls ? "tool_calls" : reason;
  }

  #usage(): Usage {
    const { reasoningTokens } = this.#assembler;
    return {
      promptTokens: this.#promptLength,
      completionTokens: this.#completionTokens,
      cachedTokens: this.#cachedTokens,
      acceptedDraftTokens: this.#draftedTokens.accepted,
      rejectedDraftTokens: this.#draftedTokens.rejected,
      ...(reasoningTokens > 0 && { reasoningTokens }),
    };
  }

  #finished(reason: FinishReason): InferenceEvent {
    const now = this.#clock.monotonic();
    const startedAt = this.#startedAt || now;
    const firstTokenAt = this.#firstTokenAt || now;
    const { stoppedBy } = this.#assembler;
    const stopSequence = stoppedBy !== null && this.#requestStops.includes(stoppedBy) ? stoppedBy : null;
    return {
      type: "finished",
      reason: this.#reasonOf(reason),
      ...(stopSequence !== null && { stopSequence }),
      usage: this.#usage(),
      timings: {
        queueSeconds: (startedAt - this.#queuedAt) / 1000,
        prefillSeconds: (firstTokenAt - startedAt) / 1000,
        decodeSeconds: (now - firstTokenAt) / 1000,
      },
    };
  }
}
