import { setImmediate as nextTurn } from "node:timers/promises";
import { ExoError } from "../core/errors.js";
import type { Embedding, EmbedRequest } from "../core/inference.js";
import type { StageInfo } from "../native/stage.js";
import type { Tokenizer } from "../native/tokenizer.js";
import type { Scheduler } from "./scheduler.js";
import type { EmbeddingJob, TextPieces } from "./slot.js";
import { TextJob } from "./text-job.js";

export interface EmbedderOptions {
  /** Of the stage with the output head. */
  readonly info: StageInfo;
  readonly tokenizer: Tokenizer;
  readonly scheduler: Pick<Scheduler, "checkRoom" | "enqueue">;
  readonly slotCount: number;
  /** Tokens per slot. */
  readonly contextSize: number;
  /** Rows in one micro-batch at most. */
  readonly microBatchSize: number;
  /** As `EmbeddingJob`. */
  readonly timeLimitMs: number | null;
}

/** So much text is tokenized before others have a turn of the event loop: some milliseconds of work. */
const CHARACTERS_PER_TURN = 65_536;

/** Tokens of text are a few characters long; of rows of spaces and the like, up to about this many. */
const MOST_CHARACTERS_PER_TOKEN = 128;

/** How a model's hidden states become an embedding where its file does not say. */
const DEFAULT_WANTED = { whole: "all", causal: "last" } as const;

const WANTED: Readonly<Record<"mean" | "cls" | "last", EmbeddingJob["wanted"]>> = {
  mean: "all",
  cls: "first",
  last: "last",
};

/** Makes embeddings with a ring's slots, beside its answers. */
export class Embedder {
  readonly #options: EmbedderOptions;

  constructor(options: EmbedderOptions) {
    this.#options = options;
  }

  /** See `InferenceService.embed`. As many texts of one request are under way as there are slots. */
  async embed(request: EmbedRequest, signal: AbortSignal): Promise<readonly Embedding[]> {
    const wanted = this.#wanted();
    this.#checkDimensions(request);
    this.#options.scheduler.checkRoom(request.client);
    const texts = await this.#tokenizeAll(request);
    const failed = new AbortController();
    const all = AbortSignal.any([signal, failed.signal]);
    const embeddings = new Map<number, Embedding>();
    const queue = texts.entries();
    const lane = async (): Promise<void> => {
      for (const [index, tokens] of queue) {
        const values = await this.#one(tokens, wanted, request, all);
        embeddings.set(index, { values, promptTokens: tokens.length });
      }
    };
    const lanes = Array.from({ length: Math.min(this.#options.slotCount, texts.length) }, lane);
    try {
      await Promise.all(lanes);
    } catch (thrown) {
      failed.abort();
      await Promise.allSettled(lanes);
      throw thrown;
    }
    return [...embeddings].toSorted(([a], [b]) => a - b).map(([, embedding]) => embedding);
  }

  #one(
    tokens: readonly number[],
    wanted: EmbeddingJob["wanted"],
    { normalize, client = "" }: EmbedRequest,
    signal: AbortSignal,
  ): Promise<Float32Array> {
    const { info, scheduler, timeLimitMs } = this.#options;
    const job = new TextJob({
      tokens,
      wanted,
      pieces: this.#pieces(),
      size: info.pooledSize,
      normalize,
      signal,
      client,
      timeLimitMs,
    });
    scheduler.enqueue(job);
    return job.values;
  }

  /** Of several texts in a micro-batch llama.cpp makes several passes where it keeps a cache, and none may be cut. */
  #pieces(): TextPieces {
    const { wholeTexts, keepsCache } = this.#options.info;
    if (!wholeTexts) return "any";
    return keepsCache ? "alone" : "whole";
  }

  /** Throws where the model gives no embeddings. */
  #wanted(): EmbeddingJob["wanted"] {
    const { architecture, pooling, pooledSize, wholeTexts } = this.#options.info;
    if (pooling === "rank") {
      const message =
        "This model ranks texts by how well they answer a question; it gives no embeddings. Ask another model.";
      throw new ExoError("unsupported", message, { param: "model" });
    }
    if (pooledSize === 0) {
      const message = `Models of the architecture ${architecture} give no embeddings here; ask another model.`;
      throw new ExoError("unsupported", message, { param: "model" });
    }
    return pooling === "none" ? DEFAULT_WANTED[wholeTexts ? "whole" : "causal"] : WANTED[pooling];
  }

  #checkDimensions({ dimensions }: EmbedRequest): void {
    const { pooledSize } = this.#options.info;
    if (dimensions === undefined || dimensions === pooledSize) return;
    throw new ExoError(
      "unsupported",
      `The field dimensions must be ${pooledSize} or left out, not ${dimensions}: this model's embeddings have ${pooledSize} numbers, and its file does not say that they may be shortened.`,
      { param: "dimensions" },
    );
  }

  async #tokenizeAll(request: EmbedRequest): Promise<readonly (readonly number[])[]> {
    const texts: (readonly number[])[] = [];
    let characters = 0;
    for (const [index, input] of request.inputs.entries()) {
      texts.push(this.#tokens(input, index, request));
      characters += input.length;
      if (characters < CHARACTERS_PER_TURN) continue;
      characters = 0;
      await nextTurn();
    }
    return texts;
  }

  #tokens(
    input: string | readonly number[],
    index: number,
    { inputs, truncate = false }: EmbedRequest,
  ): readonly number[] {
    const param = inputs.length === 1 ? "input" : `input[${index}]`;
    const most = this.#mostTokens();
    const { vocabularySize } = this.#options.info;
    const tokens = typeof input === "string" ? this.#encode(input, truncate, param) : input;
    if (tokens.length === 0) {
      throw new ExoError("invalid_argument", `The text of ${param} is empty; send at least one token.`, { param });
    }
    const wrong = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= vocabularySize);
    if (wrong !== undefined) {
      const message = `Expected token ids from 0 to ${vocabularySize - 1} for ${param}, received ${wrong}.`;
      throw new ExoError("invalid_argument", message, { param });
    }
    if (tokens.length <= most) return tokens;
    if (truncate) return this.#shortened(tokens, most);
    throw new ExoError(
      "context_exceeded",
      `The text of ${param} has ${tokens.length} tokens, but the model is set up for texts of ${most}; shorten it.`,
      { param },
    );
  }

  /** Tokenizing keeps everybody waiting, so what cannot fit is refused, or cut off, before. */
  #encode(text: string, truncate: boolean, param: string): readonly number[] {
    const most = this.#mostTokens() * MOST_CHARACTERS_PER_TOKEN;
    if (text.length > most && !truncate) {
      throw new ExoError(
        "context_exceeded",
        `The text of ${param} has ${text.length} characters, more than the ${this.#mostTokens()} tokens of the context can hold; shorten it.`,
        { param },
      );
    }
    return this.#options.tokenizer.encode(text.slice(0, most), { addSpecial: true, parseSpecial: true });
  }

  /** What the model wants at the end of every text stays there. */
  #shortened(tokens: readonly number[], most: number): readonly number[] {
    const ends = this.#options.tokenizer.encode("", { addSpecial: true }).slice(1).length > 0 ? 1 : 0;
    return [...tokens.slice(0, most - ends), ...tokens.slice(tokens.length - ends)];
  }

  #mostTokens(): number {
    const { info, contextSize, microBatchSize } = this.#options;
    return info.wholeTexts ? Math.min(contextSize, microBatchSize) : contextSize;
  }
}
