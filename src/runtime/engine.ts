import type { RingRatesRecord } from "../cluster/ring-rates.js";
import { AsyncQueue } from "../core/async-queue.js";
import { ExoError } from "../core/errors.js";
import type {
  ChatPrompt,
  Embedding,
  EmbedRequest,
  InferenceEvent,
  InferenceRequest,
  SamplingOptions,
  TextPrompt,
} from "../core/inference.js";
import type { Clock, Logger } from "../core/ports.js";
import type { Stage } from "../native/stage.js";
import { Answer, type PreparedPrompt } from "./answer.js";
import type { AnswerObserver, ObservedAnswer } from "./answer-observer.js";
import { AnswerSpeeds } from "./answer-speeds.js";
import { checkResumption } from "./check-resumption.js";
import type { ContextFull } from "./context-shift.js";
import { Embedder } from "./embedder.js";
import type { Pipeline } from "./pipeline.js";
import { Scheduler, type SchedulerStats } from "./scheduler.js";
import type { Speculator } from "./speculation/speculator.js";
import { systemTokens } from "./system-prefix.js";

export interface EngineOptions {
  /** The stage with the output head: its tokenizer, chat template and samplers serve the whole ring. */
  readonly outputStage: Stage;
  readonly pipeline: Pipeline;
  readonly slotCount: number;
  readonly contextSize: number;
  readonly microBatchSize: number;
  readonly queueLimit: number;
  /** For requests that say no temperature. */
  readonly sampling: SamplingOptions;
  /** Of the stages that hold layers: part of a sequence can be forgotten. */
  readonly canTrim: boolean;
  readonly contextFull: ContextFull;
  /** As `SchedulerOptions.speculator`. */
  readonly speculator: Speculator | null;
  /** Seconds that a request may take, its wait included; `null`: as long as it needs. */
  readonly requestTimeout: number | null;
  readonly observer: AnswerObserver;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Tokens of text are a few characters long; of rows of spaces and the like, up to about this many. */
const MOST_CHARACTERS_PER_TOKEN = 128;

/** Contexts full of new tokens that one answer may go on for where the context is shifted. */
const MOST_CONTEXTS = 16;

/** Seconds: a day. */
const LONGEST_TIMEOUT = 86_400;

/** Takes well under a second. */
const MOST_TOKENIZED_CHARACTERS = 1024 * 1024;

/** Answers requests at the head of a ring: template, tokens, scheduling, sampling, text. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #scheduler: Scheduler;
  readonly #embedder: Embedder;
  readonly speeds = new AnswerSpeeds();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#scheduler = new Scheduler(options);
    const { outputStage, requestTimeout } = options;
    this.#embedder = new Embedder({
      ...options,
      info: outputStage.info,
      tokenizer: outputStage.tokenizer,
      scheduler: this.#scheduler,
      timeLimitMs: requestTimeout === null ? null : requestTimeout * 1000,
    });
  }

  stats(): SchedulerStats {
    return this.#scheduler.stats();
  }

  rates(): RingRatesRecord {
    return this.#scheduler.rates();
  }

  /** See `InferenceService.generate`. */
  async *generate(request: InferenceRequest, signal: AbortSignal): AsyncGenerator<InferenceEvent, void, void> {
    const observed = this.#options.observer.begin(request);
    const gone = new AbortController();
    const events = new AsyncQueue<InferenceEvent>();
    try {
      this.#take(request, observed, AbortSignal.any([signal, gone.signal]), events);
    } catch (thrown) {
      observed.ended(ExoError.from(thrown).code);
      throw thrown;
    }
    try {
      yield* this.speeds.watch(events, request.resume === undefined);
    } finally {
      gone.abort();
    }
  }

  /** See `InferenceService.embed`. */
  embed(request: EmbedRequest, signal: AbortSignal): Promise<readonly Embedding[]> {
    return this.#embedder.embed(request, signal);
  }

  tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): readonly number[] {
    if (text.length > MOST_TOKENIZED_CHARACTERS) {
      throw new ExoError(
        "invalid_argument",
        `The text has ${text.length} characters; send at most ${MOST_TOKENIZED_CHARACTERS} at a time.`,
        { param: "content" },
      );
    }
    return this.#options.outputStage.tokenizer.encode(text, { addSpecial, parseSpecial });
  }

  detokenize(tokens: readonly number[]): string {
    this.#checkTokens(tokens, "tokens");
    return this.#options.outputStage.tokenizer.decode(tokens, { renderSpecial: true });
  }

  applyTemplate(prompt: ChatPrompt): string {
    this.#checkChatLength(prompt);
    return this.#options.outputStage.chat.render(prompt).prompt;
  }

  /** Ends every request with `error`, then frees the stages. */
  async close(error: ExoError): Promise<void> {
    await this.#scheduler.close(error);
    await this.#options.pipeline.close();
  }

  #take(
    request: InferenceRequest,
    observed: ObservedAnswer,
    signal: AbortSignal,
    events: AsyncQueue<InferenceEvent>,
  ): void {
    this.#checkGenerates();
    // What will be refused costs nothing before: a long prompt's template and tokens keep everybody waiting.
    this.#scheduler.checkRoom(request.client);
    this.#submit(request, this.#prepare(request, observed), signal, events, observed);
  }

  #checkGenerates(): void {
    const { generates, pooling, architecture } = this.#options.outputStage.info;
    if (generates && pooling === "none") return;
    const gives =
      pooling === "rank" ? "ranks texts by how well they answer a question" : "gives embeddings, at /v1/embeddings,";
    const message = `This model (${architecture}) ${gives} and does not answer; ask another model for that.`;
    throw new ExoError("unsupported", message, { param: "model" });
  }

  #prepare(request: InferenceRequest, observed: ObservedAnswer): PreparedPrompt {
    const { input } = request;
    const prompt =
      input.kind === "chat" ? this.#prepareChat(request, input, observed) : this.#prepareText(input, observed);
    if (prompt.tokens.length === 0) {
      throw new ExoError("invalid_argument", "The prompt is empty; send at least one token.", { param: "prompt" });
    }
    this.#checkTokens(prompt.tokens, "prompt");
    const { contextSize } = this.#options;
    if (prompt.tokens.length >= contextSize) {
      throw new ExoError(
        "context_exceeded",
        `The prompt has ${prompt.tokens.length} tokens, but the context holds ${contextSize} including the answer; ` +
          "shorten it or load the model with a larger --ctx.",
        { param: request.input.kind === "chat" ? "messages" : "prompt" },
      );
    }
    return { ...prompt, stops: [...prompt.stops, ...request.stop] };
  }

  #prepareChat(request: InferenceRequest, input: ChatPrompt, observed: ObservedAnswer): PreparedPrompt {
    const { chat, tokenizer } = this.#options.outputStage;
    this.#checkChatLength(input);
    const rendered = observed.timed("template", () => chat.render(input, request.sampling));
    const tokens = observed.timed("tokenize", () =>
      tokenizer.encode(rendered.prompt, { addSpecial: true, parseSpecial: true }),
    );
    return {
      tokens,
      keepTokens: this.#options.contextFull === "shift" ? systemTokens(this.#options.outputStage, input, tokens) : 0,
      stops: rendered.additionalStops,
      constraint: rendered.constraint,
      preservedTokens: rendered.preservedTokens,
      parser: (text, partial) => chat.parse(rendered, text, partial),
    };
  }

  #prepareText({ prompt }: TextPrompt, observed: ObservedAnswer): PreparedPrompt {
    const tokens = typeof prompt === "string" ? observed.timed("tokenize", () => this.#tokensOf(prompt)) : prompt;
    return { tokens, keepTokens: 0, stops: [], constraint: null, preservedTokens: new Set(), parser: null };
  }

  #tokensOf(prompt: string): readonly number[] {
    this.#checkLength(prompt.length, "prompt");
    return this.#options.outputStage.tokenizer.encode(prompt, { addSpecial: true, parseSpecial: true });
  }

  #checkChatLength({ messages, tools }: ChatPrompt): void {
    this.#checkLength(JSON.stringify(messages).length, "messages");
    if (tools !== undefined) this.#checkLength(JSON.stringify(tools).length, "tools");
  }

  /** Tokenizing keeps everybody waiting, so what cannot fit is refused before. */
  #checkLength(characters: number, param: string): void {
    const { contextSize } = this.#options;
    if (characters <= contextSize * MOST_CHARACTERS_PER_TOKEN) return;
    throw new ExoError(
      "context_exceeded",
      `The prompt has ${characters} characters, more than the ${contextSize} tokens of the context can hold; ` +
        "shorten it or load the model with a larger --ctx.",
      { param },
    );
  }

  #checkTokens(tokens: readonly number[], param: string): void {
    const { vocabularySize } = this.#options.outputStage.info;
    const wrong = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= vocabularySize);
    if (wrong === undefined) return;
    const message = `Expected token ids from 0 to ${vocabularySize - 1}, received ${wrong}.`;
    throw new ExoError("invalid_argument", message, { param });
  }

  #timeLimitMs({ timeoutSeconds, resume }: InferenceRequest): number | null {
    const { requestTimeout } = this.#options;
    if (timeoutSeconds === undefined && requestTimeout === null) return null;
    const most = requestTimeout ?? LONGEST_TIMEOUT;
    return (Math.min(timeoutSeconds ?? most, most) - (resume?.elapsedSeconds ?? 0)) * 1000;
  }

  /** Of the whole answer. */
  #maxTokens({ maxTokens }: InferenceRequest, prompt: PreparedPrompt): number {
    const { contextSize, contextFull } = this.#options;
    const room = contextSize - prompt.tokens.length;
    const most = contextFull === "stop" ? room : MOST_CONTEXTS * contextSize;
    return Math.min(maxTokens ?? Math.max(room, contextSize), most);
  }

  #submit(
    request: InferenceRequest,
    prompt: PreparedPrompt,
    signal: AbortSignal,
    events: AsyncQueue<InferenceEvent>,
    observed: ObservedAnswer,
  ): void {
    const { outputStage, clock } = this.#options;
    const resume = request.resume ?? null;
    const maxTokens = this.#maxTokens(request, prompt);
    if (resume !== null) checkResumption(resume, outputStage.info.vocabularySize, request.maxTokens ?? null);
    const sampler = outputStage.createSampler({
      ...(request.sampling.temperature === undefined && this.#options.sampling),
      ...request.sampling,
      constraint: prompt.constraint,
      ignoreEos: request.ignoreEos ?? false,
    });
    try {
      sampler.acceptPrompt(prompt.tokens);
      if (resume !== null) sampler.acceptAnswer(resume.tokens);
      const answer = new Answer({
        prompt,
        requestStops: request.stop,
        logprobs: request.logprobs,
        sampler,
        maxTokens,
        resume,
        signal,
        client: request.client ?? "",
        reusePrefix: request.cachePrompt ?? true,
        speculation: request.speculation ?? true,
        timeLimitMs: this.#timeLimitMs(request),
        events,
        clock,
        tokenizer: outputStage.tokenizer,
        observed,
      });
      const { ended } = answer;
      if (ended === null) this.#scheduler.submit(answer);
      else answer.onEnd(ended);
    } catch (thrown) {
      sampler.close();
      throw thrown;
    }
  }
}
