import type { RequestOrigin } from "./trace.js";

/**
 * One request and its stream of events, as they travel from an API adapter through any node to the head of a ring.
 * Every adapter (OpenAI, Ollama, …) speaks this and nothing else; it is plain data, so it also crosses the wire.
 */

/** How the next token is chosen. Absent fields take the server's defaults (`DEFAULT_SAMPLING`). */
export interface SamplingOptions {
  /** 0 is greedy. */
  readonly temperature?: number;
  readonly topP?: number;
  /** 0 keeps all. */
  readonly topK?: number;
  readonly minP?: number;
  readonly repeatPenalty?: number;
  readonly repeatLastN?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  /** Absent: a random one. */
  readonly seed?: number;
  /** Token id → added to its logit. */
  readonly logitBias?: Readonly<Record<string, number>>;
  /** GBNF; excludes `jsonSchema`. */
  readonly grammar?: string;
  /** JSON schema text that the answer must match. */
  readonly jsonSchema?: string;
}

/** OpenAI's message and tool shapes are the lingua franca of llama.cpp's templates; they pass through as they came. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly [field: string]: unknown;
}

export interface ChatPrompt {
  readonly kind: "chat";
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly unknown[];
  readonly toolChoice?: "auto" | "none" | "required";
  readonly parallelToolCalls?: boolean;
  readonly enableThinking?: boolean;
  /** Further variables for the model's template, `reasoning_effort` for one. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
}

export interface TextPrompt {
  readonly kind: "text";
  /** Text, or token ids. */
  readonly prompt: string | readonly number[];
}

export interface InferenceRequest {
  readonly id: string;
  readonly model: string;
  readonly input: ChatPrompt | TextPrompt;
  readonly sampling: SamplingOptions;
  /** Absent: until the model ends or the context is full. */
  readonly maxTokens?: number;
  readonly stop: readonly string[];
  /** 0: none; else each token comes with its log-probability and those of this many best alternatives minus one. */
  readonly logprobs: number;
  readonly ignoreEos?: boolean;
  /**
   * `false`: the whole prompt is computed, whatever a KV cache holds of it. With some kernels a prompt computed in another
   * number of rows differs in the last bits, so this is for answers that must be repeatable to the letter. Default `true`.
   */
  readonly cachePrompt?: boolean;
  /**
   * `false`: no tokens are drafted. What a draft is computed with can differ in the last bits, too, with some kernels.
   * Default `true`.
   */
  readonly speculation?: boolean;
  /**
   * Seconds from the arrival at the head, the wait for a slot included. When they are over, an answer that has begun
   * finishes with `length`, and one that has not fails with `deadline_exceeded`. Absent: the server's limit, if any.
   */
  readonly timeoutSeconds?: number;
  /** Which request of the outside world this is part of. */
  readonly origin?: RequestOrigin;
  /** Whose request it is, as the entry node calls him: those of different clients are served in turn. */
  readonly client?: string;
  /** The answer was begun by another head, which is lost: it goes on here. Absent: it begins here. */
  readonly resume?: Resumption;
}

/** What is known of an answer that was begun elsewhere. Nothing of it is told again; limits and usage are of the whole. */
export interface Resumption {
  /** Its tokens so far, in order. */
  readonly tokens: readonly number[];
  /** Log-probabilities of the last of them that were not told yet, because a stop string may begin there. Absent: none. */
  readonly held?: readonly TokenLogprob[];
  /** Since the request arrived at the first head. Absent: 0. */
  readonly elapsedSeconds?: number;
}

export interface TokenLogprob {
  readonly token: number;
  /** The token's own bytes as text; invalid UTF-8 becomes U+FFFD, so `bytes` is the truth. */
  readonly text: string;
  readonly bytes: readonly number[];
  readonly logprob: number;
  readonly top: readonly {
    readonly token: number;
    readonly text: string;
    readonly bytes: readonly number[];
    readonly logprob: number;
  }[];
}

export interface ToolCallDelta {
  readonly index: number;
  readonly id?: string;
  readonly name?: string;
  readonly arguments?: string;
}

export type FinishReason = "stop" | "length" | "tool_calls";

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** How many of the prompt's tokens were found in a KV cache. */
  readonly cachedTokens: number;
  /** Of the tokens drafted, those that became part of the answer, and those computed for nothing. */
  readonly acceptedDraftTokens: number;
  readonly rejectedDraftTokens: number;
  /** Of `completionTokens`, those that the model thought with. Absent: none. */
  readonly reasoningTokens?: number;
}

/** Seconds and rates as measured by the head. */
export interface Timings {
  readonly queueSeconds: number;
  readonly prefillSeconds: number;
  readonly decodeSeconds: number;
}

export type InferenceEvent =
  | { readonly type: "started"; readonly promptTokens: number; readonly cachedTokens: number }
  | {
      readonly type: "delta";
      /** New answer text; may be empty when only logprobs or a tool call came. */
      readonly text: string;
      readonly reasoning?: string;
      readonly toolCalls?: readonly ToolCallDelta[];
      readonly logprobs?: readonly TokenLogprob[];
      /**
       * Those chosen since the last event that named some: what another head needs to go on behind this event. Absent: the
       * answer ends with this, and `finished` follows at once.
       */
      readonly tokens?: readonly number[];
      /** As `Resumption.held`, behind this event. */
      readonly held?: readonly TokenLogprob[];
    }
  | {
      readonly type: "finished";
      readonly reason: FinishReason;
      /** The stop string of the request that ended the answer, if one did. */
      readonly stopSequence?: string;
      readonly usage: Usage;
      readonly timings: Timings;
    };

export interface EmbedRequest {
  readonly id: string;
  readonly model: string;
  /** Texts, or token ids. */
  readonly inputs: readonly (string | readonly number[])[];
  /** To a length of 1. */
  readonly normalize: boolean;
  /** Numbers wanted of each embedding; refused unless the model gives just so many. Absent: as many as it gives. */
  readonly dimensions?: number;
  /** An input that is too long loses its end rather than being refused. Default `false`. */
  readonly truncate?: boolean;
  /** As of `InferenceRequest`. */
  readonly client?: string;
}

export interface Embedding {
  readonly values: Float32Array;
  readonly promptTokens: number;
}

export interface TokenizeRequest {
  readonly model: string;
  readonly text: string;
  readonly addSpecial: boolean;
  readonly parseSpecial: boolean;
}

/** What any node can be asked to do with a loaded model; `transport/` carries it to the head when that is elsewhere. */
export interface InferenceService {
  /**
   * The events of one answer: `started`, any number of `delta`, `finished`. Ends by throwing an `ExoError` when it
   * cannot. Aborting the signal, or leaving the loop, frees the slot within one token.
   */
  generate(request: InferenceRequest, signal: AbortSignal): AsyncIterable<InferenceEvent>;
  /** An embedding for each input, in their order. Aborting the signal frees the slots. */
  embed(request: EmbedRequest, signal: AbortSignal): Promise<readonly Embedding[]>;
  /** Like the two below, waits for a model that has to be loaded first, unless the signal aborts. */
  tokenize(request: TokenizeRequest, signal: AbortSignal): Promise<readonly number[]>;
  detokenize(model: string, tokens: readonly number[], signal: AbortSignal): Promise<string>;
  /** The prompt text that the model's chat template makes of the messages. */
  applyTemplate(model: string, prompt: ChatPrompt, signal: AbortSignal): Promise<string>;
}
