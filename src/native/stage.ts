import { ExoError } from "../core/errors.js";
import type { ActivationType } from "./activation.js";
import type {
  NativeBatch,
  NativeDecodeResult,
  NativePooling,
  NativeSample,
  NativeSampleRequest,
  NativeStageInfo,
  NativeStageMemory,
  StageHandle,
} from "./bindings.js";
import { Chat } from "./chat.js";
import { loadBindings } from "./load.js";
import { nativeCall, nativePromise } from "./native-call.js";
import { Sampler, type SamplerOptions } from "./sampler.js";
import { type StageOptions, toNativeStageParams } from "./stage-options.js";
import { useStage } from "./stages-in-use.js";
import { Tokenizer } from "./tokenizer.js";

/** With `vocabOnly` the model's numbers are 0, but for `layerCount` and `vocabularySize`. */
export interface StageInfo {
  readonly architecture: string;
  readonly description: string;
  /** Of the whole model. */
  readonly layerCount: number;
  /** Numbers of one hidden state. */
  readonly embeddingSize: number;
  /**
   * Numbers per row of the hidden states that this stage takes; 0 where it holds the embedding. Mostly `embeddingSize`,
   * a multiple of it in architectures where several hidden states cross the boundary.
   */
  readonly inputSize: number;
  /** The same for the hidden states that it gives; 0 where it holds the output head. */
  readonly outputSize: number;
  readonly vocabularySize: number;
  /** Tokens the model was trained for. */
  readonly contextTrained: number;
  /** Tokens per sequence as allocated: `StageOptions.contextSize` or a little more. */
  readonly contextSize: number;
  readonly parameterCount: number;
  /** Jinja text, or null: then `chat.render` throws `unsupported`. */
  readonly chatTemplate: string | null;
  readonly bosToken: number | null;
  readonly eosToken: number | null;
  readonly addBos: boolean;
  /** KV operation `add` is possible. */
  readonly canShift: boolean;
  /** KV operation `remove` is possible for part of a sequence. */
  readonly canTrim: boolean;
  /** How the file says that the hidden states of a text become its embedding; `none`: it does not say. */
  readonly pooling: Pooling;
  /** A text must be computed in one micro-batch: its tokens look at those behind them. */
  readonly wholeTexts: boolean;
  /** Something is kept of a text between micro-batches. */
  readonly keepsCache: boolean;
  /** The model goes on with a text, token by token; else it is for embeddings alone. */
  readonly generates: boolean;
  /** Numbers of an embedding; 0 where the output head is not, and where the model gives none. */
  readonly pooledSize: number;
}

export type Pooling = NativePooling;

/** Bytes, summed over the stage's devices, and per device. */
export interface StageMemory {
  readonly weights: number;
  /** Of the weights: pages of the model file, which stages of one process or machine share. */
  readonly weightsMapped: number;
  readonly kvCache: number;
  readonly compute: number;
  readonly output: number;
  readonly devices: readonly {
    readonly name: string;
    readonly weights: number;
    readonly kvCache: number;
    readonly compute: number;
  }[];
  /** Weights by ggml buffer type, e.g. `CPU_Mapped`, `CPU_REPACK` (laid out anew for this CPU's instructions), `CUDA0`. */
  readonly weightBuffers: readonly { readonly name: string; readonly bytes: number }[];
}

export interface LoadHooks {
  /** 0 … 1. */
  readonly onProgress?: (fraction: number) => void;
  /** Aborting it makes `load` reject with `cancelled`. */
  readonly signal?: AbortSignal;
}

export interface SampleRequest {
  /** Index of a row flagged `output`. */
  readonly row: number;
  /**
   * So many rows after it, flagged too, hold drafted tokens at the next positions of its sequence. They are sampled in turn
   * for as long as each choice is the token drafted for the next row. Default 0.
   */
  readonly drafted?: number;
  readonly sampler: Sampler;
  /** 0: none. n: the log-probability of the chosen token and of the n - 1 best ones (as `InferenceRequest.logprobs`). */
  readonly logprobs: number;
}

/** One unit of work for a stage: KV operations, then rows. */
export interface MicroBatch {
  /** `encodeRows(…)`, or the bytes of a frame. At most `batchSize` rows; may be empty when there are KV operations. */
  readonly rows: Uint8Array;
  /** `encodeKvOperations(…)`. */
  readonly kvOperations?: Int32Array;
  /**
   * Hidden states of the rows, `[rows][inputSize]`, for a stage that does not hold the embedding. The memory is read
   * in place and must stay unchanged until the promise settles. f32 that is not 4-byte aligned costs a copy.
   */
  readonly activations?: Uint8Array;
  /** Default f32. */
  readonly activationType?: ActivationType;
  /** Type of the hidden states to return. Default f32. */
  readonly resultType?: ActivationType;
  /** Free bytes to leave before the returned hidden states, for a frame header. Default 0. */
  readonly resultHeadRoom?: number;
  /** Return only the hidden states of rows flagged `output`. Default false: of every row. */
  readonly resultOutputsOnly?: boolean;
  /** Rows to sample, at a stage with the output head. */
  readonly samples?: readonly SampleRequest[];
  /** Return the flagged rows' logits too. Default false. */
  readonly wantLogits?: boolean;
  /** Return sums of the flagged rows' hidden states, at a stage with the output head; excludes samples and logits. */
  readonly wantPooled?: boolean;
}

export interface TokenProbability {
  readonly token: number;
  /** Natural log of the probability before temperature and the rest of the sampler chain. */
  readonly logprob: number;
}

export interface Sample {
  readonly token: number;
  readonly isEndOfGeneration: boolean;
  /** Null when no logprobs were asked for. */
  readonly logprob: number | null;
  /** Best first; `logprobs - 1` of them. */
  readonly top: readonly TokenProbability[];
}

/**
 * What one request chose, in order: the token after its row, then, as long as that was the drafted one, the token after
 * the next row. Never empty; an `ExoError`, for a row that could not be sampled, can only be last.
 */
export type SampleRun = readonly (Sample | ExoError)[];

export interface DecodeResult {
  /**
   * `resultHeadRoom` free bytes, then the hidden states, in one view that starts at a 64-byte-aligned address. Null at a
   * stage with the output head, and when there were no rows to return. Let go of it soon: it returns to a pool.
   */
  readonly activations: Uint8Array | null;
  /** One for each request, in order. */
  readonly samples: readonly SampleRun[];
  /** `[flagged rows][vocabularySize]`, or null when not asked for. */
  readonly logits: Float32Array | null;
  /**
   * For each sequence with flagged rows, in the order of the first of them, the sum of their hidden states after the final
   * norm: `[sequences][pooledSize]`; or null when not asked for.
   */
  readonly pooled: Float32Array | null;
  /** Times that the hidden states were copied on arrival (0 if they could be read in place) and to be handed on. */
  readonly copies: number;
  /** On the stage's thread, but for its wait for a turn among the stages of the process. */
  readonly computeSeconds: number;
  /** Behind earlier micro-batches of the stage and turns of its neighbours; 0 for an idle stage, which only wakes up. */
  readonly queueSeconds: number;
  /** Part of `computeSeconds`: choosing tokens. */
  readonly samplingSeconds: number;
}

/** A loaded layer range with its KV cache and its own thread. */
export class Stage {
  readonly info: StageInfo;
  readonly options: StageOptions;
  readonly tokenizer: Tokenizer;
  readonly chat: Chat;
  readonly #handle: StageHandle;
  readonly #gone: () => void;
  #onClosing: ((closed: Promise<void>) => void)[] = [];

  private constructor(handle: StageHandle, options: StageOptions, info: StageInfo, gone: () => void) {
    this.#handle = handle;
    this.#gone = gone;
    this.options = options;
    this.info = info;
    this.tokenizer = new Tokenizer(handle);
    this.chat = new Chat(handle);
  }

  /**
   * Rejects `invalid_model`, `invalid_argument`, `unsupported`, `out_of_memory`, `crash_loop` or `cancelled`; nothing stays
   * behind.
   */
  static async load(options: StageOptions, hooks: LoadHooks = {}): Promise<Stage> {
    if (hooks.signal?.aborted) throw new ExoError("cancelled", "Loading was cancelled before it began.");
    const bindings = loadBindings();
    const params = toNativeStageParams(options);
    const gone = useStage(options.modelPath, options.layerBegin, options.layerEnd);
    const handle = nativeCall(() => bindings.stage_create());
    const abort = (): void => void bindings.stage_close(handle);
    hooks.signal?.addEventListener("abort", abort, { once: true });
    try {
      const info = await nativePromise(() => bindings.stage_load(handle, params, hooks.onProgress ?? (() => {})));
      // the last step may be done by the time that the abort comes
      if (hooks.signal?.aborted) throw new ExoError("cancelled", "Loading was cancelled.");
      return new Stage(handle, options, toStageInfo(info), gone);
    } catch (thrown) {
      await bindings.stage_close(handle);
      gone();
      throw thrown;
    } finally {
      hooks.signal?.removeEventListener("abort", abort);
    }
  }

  memory(): StageMemory {
    return toStageMemory(nativeCall(() => loadBindings().stage_memory(this.#handle)));
  }

  /**
   * Queues one micro-batch; micro-batches run in call order. Rejects `overloaded` when 64 wait already,
   * `context_exceeded` when the KV cache has no room, `invalid_argument` or `bad_frame` for a malformed batch.
   */
  async decode(batch: MicroBatch): Promise<DecodeResult> {
    const result = await nativePromise(() => loadBindings().stage_decode(this.#handle, toNativeBatch(batch)));
    return toDecodeResult(result, batch.samples ?? []);
  }

  /** Only at a stage with the output head. Close it when its sequence ends. */
  createSampler(options: SamplerOptions = {}): Sampler {
    return new Sampler(this.#handle, options);
  }

  /** Lets the running micro-batch end, rejects waiting ones with `cancelled`, frees everything. Idempotent. */
  close(): Promise<void> {
    const closed = this.#close();
    for (const listener of this.#onClosing.splice(0)) listener(closed);
    return closed;
  }

  /** Calls back when it begins to give its memory back, with what settles when it has. */
  onClosing(listener: (closed: Promise<void>) => void): void {
    this.#onClosing.push(listener);
  }

  async #close(): Promise<void> {
    await nativePromise(() => loadBindings().stage_close(this.#handle));
    this.#gone();
  }
}

function toNativeBatch(batch: MicroBatch): NativeBatch {
  return {
    rows: batch.rows,
    kv_operations: batch.kvOperations ?? new Int32Array(0),
    activations: batch.activations ?? null,
    activation_type: batch.activationType ?? "f32",
    result_type: batch.resultType ?? "f32",
    result_head_room: batch.resultHeadRoom ?? 0,
    result_outputs_only: batch.resultOutputsOnly ?? false,
    samples: (batch.samples ?? []).map(toNativeSampleRequest),
    want_logits: batch.wantLogits ?? false,
    want_pooled: batch.wantPooled ?? false,
  };
}

function toNativeSampleRequest({ row, drafted = 0, sampler, logprobs }: SampleRequest): NativeSampleRequest {
  return { row, drafted, sampler: sampler.handle, logprobs };
}

function toDecodeResult(native: NativeDecodeResult, requests: readonly SampleRequest[]): DecodeResult {
  return {
    activations: native.activations,
    samples: native.samples.map((run, index) => {
      const withLogprob = (requests[index]?.logprobs ?? 0) > 0;
      return run.map((sample) => toSample(sample, withLogprob));
    }),
    logits: native.logits,
    pooled: native.pooled,
    copies: native.copies,
    computeSeconds: native.compute_microseconds / 1e6,
    queueSeconds: native.queue_microseconds / 1e6,
    samplingSeconds: native.sampling_microseconds / 1e6,
  };
}

function toSample(native: NativeSample, withLogprob: boolean): Sample | ExoError {
  if (native.error !== null) return new ExoError("invalid_argument", native.error, { param: "grammar" });
  return {
    token: native.token,
    isEndOfGeneration: native.is_end_of_generation,
    logprob: withLogprob ? native.logprob : null,
    top: Array.from(native.top_tokens, (token, index) => ({ token, logprob: native.top_logprobs[index] ?? -Infinity })),
  };
}

function toStageInfo(native: NativeStageInfo): StageInfo {
  return {
    architecture: native.architecture,
    description: native.description,
    layerCount: native.layer_count,
    embeddingSize: native.embedding_size,
    inputSize: native.input_size,
    outputSize: native.output_size,
    vocabularySize: native.vocabulary_size,
    contextTrained: native.context_trained,
    contextSize: native.context_size,
    parameterCount: native.parameter_count,
    chatTemplate: native.chat_template,
    bosToken: native.bos_token < 0 ? null : native.bos_token,
    eosToken: native.eos_token < 0 ? null : native.eos_token,
    addBos: native.add_bos,
    canShift: native.can_shift,
    canTrim: native.can_trim,
    pooling: native.pooling,
    wholeTexts: native.whole_texts,
    keepsCache: native.keeps_cache,
    generates: native.generates,
    pooledSize: native.pooled_size,
  };
}

function toStageMemory(native: NativeStageMemory): StageMemory {
  return {
    weights: native.weights,
    weightsMapped: native.weights_mapped,
    kvCache: native.kv_cache,
    compute: native.compute,
    output: native.output,
    devices: native.devices.map((device) => ({
      name: device.name,
      weights: device.weights,
      kvCache: device.kv_cache,
      compute: device.compute,
    })),
    weightBuffers: native.weight_buffers.map(({ name, bytes }) => ({ name, bytes })),
  };
}
