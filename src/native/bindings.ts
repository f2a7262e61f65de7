/**
 * The native addon's whole surface, declared once, in the order of `native/bindings/addon.cpp`. Internal, thin, data
 * only: no defaults, nothing optional ("none" is `null`; `undefined` is an error naming the full path). Friendly
 * options become these complete structs in `stage.ts`, `sampler.ts` and `chat.ts`.
 *
 * Every failure is an `Error` whose `code` is one of `core/errors.ts` and whose message is a whole sentence.
 * Handles are type-tagged externals: a handle of the wrong kind, or a closed one, is refused by name.
 */

declare const handleKind: unique symbol;
/** A loaded (or loading) layer range with its KV cache, its thread and its job queue. */
export type StageHandle = { readonly [handleKind]: "stage" };
/** The sampling state of one sequence. Belongs to a stage with an output head. */
export type SamplerHandle = { readonly [handleKind]: "sampler" };

export interface NativeLibraryInfo {
  /** llama.cpp release tag and full commit the addon was built from. */
  readonly llama_tag: string;
  readonly llama_commit: string;
  /** Where ggml and llama-common came from. */
  readonly ggml_origin: "prebuilt" | "source";
  /** Directory that holds the addon and its shared libraries. */
  readonly library_directory: string;
}

export interface NativeCpuCores {
  /** One logical CPU of each physical core that this process may run on. */
  readonly cpus: Int32Array;
  /** CPUs' worth of time that a container's or a service's limit gives the process; 0: no limit. */
  readonly quota: number;
  /** The control group that has this limit; "": no limit. */
  readonly group: string;
}

export interface NativeDevice {
  /** ggml's name, e.g. `CPU`, `CUDA0`, `Metal`. */
  readonly name: string;
  readonly description: string;
  readonly kind: "cpu" | "gpu" | "igpu" | "accelerator";
  /** Bytes. */
  readonly memory_free: number;
  readonly memory_total: number;
}

/** Activation element types on the wire and at a stage's input. `q8_0` is ggml's block of 32 (34 bytes). */
export type NativeActivationType = "f32" | "f16" | "q8_0";

/** A quantized V cache needs flash attention; a quantized K cache needs heads whose size its blocks divide. */
export type NativeKvType = "f32" | "f16" | "bf16" | "q8_0" | "q5_1" | "q5_0" | "q4_1" | "q4_0" | "iq4_nl";

export interface NativeStageParams {
  /** First file of the model; further parts (`-00002-of-…`) are found beside it. */
  readonly model_path: string;
  /** Half-open layer range `[layer_begin, layer_end)`; `layer_begin == layer_end` only together with `has_output`. */
  readonly layer_begin: number;
  readonly layer_end: number;
  /** Output head here: final norm and lm_head, logits and sampling. */
  readonly has_output: boolean;
  /** Only the vocabulary: tokenizer and chat template, nothing to decode with. */
  readonly vocab_only: boolean;
  /** Tokens of KV cache per sequence, and how many sequences at once. */
  readonly context_size: number;
  readonly max_sequences: number;
  /** Largest number of rows in one decode, and in one compute pass. */
  readonly batch_size: number;
  readonly micro_batch_size: number;
  /** Largest number of rows flagged `ROW_OUTPUT` in one decode, at a stage with the output head: its logits take memory. */
  readonly max_outputs: number;
  /** For one row, and for several. Stages of this process with the same numbers share their threads. */
  readonly threads: number;
  readonly batch_threads: number;
  /** Between graphs the threads look for the next one for some milliseconds before they sleep. */
  readonly keep_awake: boolean;
  /** ggml device names, or `[]` for CPU only. */
  readonly devices: readonly string[];
  /** Layers of this stage on those devices, counted from its first; -1: all. */
  readonly gpu_layers: number;
  readonly kv_type_k: NativeKvType;
  readonly kv_type_v: NativeKvType;
  readonly flash_attention: "auto" | "on" | "off";
  /** One KV cache shared by all sequences (a row may then use up to `context_size` in total). */
  readonly kv_unified: boolean;
  readonly use_mmap: boolean;
  readonly use_mlock: boolean;
}

/** With `vocab_only` the model's numbers are 0, but for `layer_count` and `vocabulary_size`. */
export interface NativeStageInfo {
  readonly architecture: string;
  readonly description: string;
  readonly layer_count: number;
  /** Numbers of one hidden state. */
  readonly embedding_size: number;
  /**
   * Numbers per row of the hidden states this stage takes and gives; 0 where the embedding or the output head is.
   * `embedding_size`, but a multiple of it in architectures where several hidden states cross the boundary.
   */
  readonly input_size: number;
  readonly output_size: number;
  readonly vocabulary_size: number;
  /** Tokens the model was trained for. */
  readonly context_trained: number;
  /** Tokens of KV cache per sequence as allocated (llama.cpp rounds up). */
  readonly context_size: number;
  readonly parameter_count: number;
  readonly chat_template: string | null;
  readonly bos_token: number;
  readonly eos_token: number;
  readonly add_bos: boolean;
  /** Position shift and partial removal of a sequence are possible (not so for recurrent state). */
  readonly can_shift: boolean;
  readonly can_trim: boolean;
  /** How the file says that the hidden states of a text become its embedding. */
  readonly pooling: NativePooling;
  /** A text must be computed in one micro-batch: its tokens look at those behind them. */
  readonly whole_texts: boolean;
  /** Something is kept of a text between micro-batches. */
  readonly keeps_cache: boolean;
  /** The model goes on with a text, token by token. */
  readonly generates: boolean;
  /** Numbers of an embedding; 0 where the output head is not, and where the model gives none. */
  readonly pooled_size: number;
}

/** `none`: the file does not say. */
export type NativePooling = "none" | "mean" | "cls" | "last" | "rank";

/** Bytes by kind, summed over the stage's devices, and per device. */
export interface NativeStageMemory {
  readonly weights: number;
  /** Of the weights: pages of the model file, which stages of one process or machine share. */
  readonly weights_mapped: number;
  readonly kv_cache: number;
  readonly compute: number;
  readonly output: number;
  readonly devices: readonly {
    readonly name: string;
    readonly weights: number;
    readonly kv_cache: number;
    readonly compute: number;
  }[];
  /** Weights by ggml buffer type, e.g. `CPU_Mapped`, `CPU_REPACK` (laid out anew for this CPU's instructions), `CUDA0`. */
  readonly weight_buffers: readonly { readonly name: string; readonly bytes: number }[];
}

/** Bytes of one row in `NativeBatch.rows`, little endian: u16 sequence, u16 flags, i32 position, i32 token. */
export const ROW_BYTES = 12;
/** Row flag: this row's hidden state or logits are wanted. */
export const ROW_OUTPUT = 1;
/** Numbers in one KV operation: op, sequence, destination sequence, p0, p1, delta. */
export const KV_OPERATION_NUMBERS = 6;
/** `op` of a KV operation. p0 < 0: from 0; p1 < 0: to the end. sequence < 0 in `remove`: every sequence. */
export const KV_OPERATION = { remove: 0, copy: 1, keep: 2, add: 3 } as const;

/**
 * One micro-batch. KV operations are applied in order, then the rows are computed.
 * Zero rows: only the KV operations.
 */
export interface NativeBatch {
  /** `n * ROW_BYTES`, read before the call returns. Every stage wants the tokens: some layers look at them. */
  readonly rows: Uint8Array;
  /** `n * KV_OPERATION_NUMBERS`. */
  readonly kv_operations: Int32Array;
  /**
   * Hidden states `[n][input_size]`, row-major, little endian, or `null` for a stage that holds the embedding.
   * Read in place when 4-byte aligned, f32 and in memory this addon may read until the promise settles.
   */
  readonly activations: Uint8Array | null;
  readonly activation_type: NativeActivationType;
  /** Stage without output head: the type of the hidden states to return, and free bytes wanted before them. */
  readonly result_type: NativeActivationType;
  readonly result_head_room: number;
  /** Return every row's hidden state (`false`), or only those flagged `ROW_OUTPUT` (`true`). */
  readonly result_outputs_only: boolean;
  /** Stage with output head: which flagged rows to sample, by row index. The sampler accepts what it chose. */
  readonly samples: readonly NativeSampleRequest[];
  /** Return the logits of the flagged rows too (tests, perplexity). */
  readonly want_logits: boolean;
  /** Return sums of the flagged rows' hidden states after the final norm; excludes samples and logits. */
  readonly want_pooled: boolean;
}

/**
 * Rows `row + 1` … `row + drafted`, the next positions of the same sequence and flagged too, hold drafted tokens. Rows
 * are sampled in turn for as long as each choice is the token drafted for the next row; the sampler sees no others.
 */
export interface NativeSampleRequest {
  readonly row: number;
  /** 0: only `row`. */
  readonly drafted: number;
  readonly sampler: SamplerHandle;
  /** 0: none. n: the log-probability of the chosen token and of the n - 1 best ones. */
  readonly logprobs: number;
}

export interface NativeSample {
  /** Why this one could not be sampled (a grammar with no way on), or `null`; the batch's other samples stand. */
  readonly error: string | null;
  readonly token: number;
  readonly is_end_of_generation: boolean;
  /** Natural log of the probability before the sampler chain; 0 when not asked for. */
  readonly logprob: number;
  /** Best first. */
  readonly top_tokens: Int32Array;
  readonly top_logprobs: Float32Array;
}

export interface NativeDecodeResult {
  /**
   * Hidden states with `result_head_room` free bytes before them: the view covers head room and states, starts at a
   * 64-byte-aligned address and returns to the pool when collected. `null` where the stage has an output head.
   */
  readonly activations: Uint8Array | null;
  /** For each request what it chose, 1 to `drafted + 1` samples; one with an error can only be the last. */
  readonly samples: readonly (readonly NativeSample[])[];
  /** `[flagged rows][vocabulary_size]` f32, or `null`. */
  readonly logits: Float32Array | null;
  /** `[sequences with flagged rows][pooled_size]` f32, in the order of their first flagged rows, or `null`. */
  readonly pooled: Float32Array | null;
  /** Times that the addon copied the hidden states: 0 or 1 on arrival, 1 where they are handed on. */
  readonly copies: number;
  /** Time on the stage's thread, but for its wait for a turn among the stages of the process. */
  readonly compute_microseconds: number;
  /** Time behind earlier micro-batches of the stage and behind turns of its neighbours; no time to wake up. */
  readonly queue_microseconds: number;
  /** Part of `compute_microseconds`: choosing tokens, when the logits were there. */
  readonly sampling_microseconds: number;
}

export interface NativeSamplerParams {
  readonly seed: number;
  readonly temperature: number;
  readonly top_k: number;
  readonly top_p: number;
  readonly min_p: number;
  readonly repeat_penalty: number;
  readonly repeat_last_n: number;
  readonly frequency_penalty: number;
  readonly presence_penalty: number;
  readonly logit_bias_tokens: Int32Array;
  readonly logit_bias_values: Float32Array;
  readonly ignore_eos: boolean;
  /** GBNF text or `null`. */
  readonly grammar: string | null;
  /** What `chat_apply` gave, or `null`. Excludes `grammar`, which then is part of it. */
  readonly constraint: string | null;
}

export interface NativeChatPrompt {
  readonly prompt: string;
  /**
   * Hand this to `sampler_create`; opaque JSON text, or `null` when the answer is free. Holds the grammar with its
   * triggers, the text the template already put at the start of the answer, and the tags around reasoning.
   */
  readonly constraint: string | null;
  /** Special tokens that must be written out for `chat_parse` to see them. */
  readonly preserved_tokens: Int32Array;
  readonly additional_stops: readonly string[];
  /** Hand this to `chat_parse`; opaque. */
  readonly parser_state: string;
}

/** The JSON that `chat_parse` gives. `arguments` is JSON text, incomplete while the answer is. */
export interface NativeChatMessage {
  readonly content: string;
  readonly reasoning_content: string;
  readonly tool_calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
}

/** Live objects, for leak tests. */
export interface NativeCounters {
  readonly stages: number;
  readonly samplers: number;
  readonly activation_buffers_in_use: number;
  readonly activation_bytes_pooled: number;
}

export interface NativeBindings {
  library_info(): NativeLibraryInfo;
  /** Loads every ggml backend found in `directory` (the best CPU variant and any GPU). Returns the backends' names. */
  backends_load(directory: string): readonly string[];
  devices_list(): readonly NativeDevice[];
  cpu_cores(): NativeCpuCores;
  /** Where llama.cpp's own log lines go; `null` drops them. Levels: debug, info, warn, error; "notice" is a sentence of the addon for the user. */
  log_set_sink(sink: ((level: string, text: string) => void) | null): void;
  counters(): NativeCounters;

  /**
   * What loading this stage would take, by llama.cpp's own accounting: a trial run of its loader that allocates nothing
   * and needs only the header of the file. Blocks the caller for as long (milliseconds to a second). `weights_mapped`,
   * `output` and `weight_buffers` are not known.
   */
  stage_plan(params: NativeStageParams): NativeStageMemory;
  /** A handle with its own thread and an empty queue. */
  stage_create(): StageHandle;
  /** `on_progress` gets 0…1. Rejects `cancelled` when the stage is closed meanwhile. */
  stage_load(
    stage: StageHandle,
    params: NativeStageParams,
    on_progress: (fraction: number) => void,
  ): Promise<NativeStageInfo>;
  stage_memory(stage: StageHandle): NativeStageMemory;
  /** Queues one micro-batch; jobs run in call order. Rejects `overloaded` when the queue (64) is full. */
  stage_decode(stage: StageHandle, batch: NativeBatch): Promise<NativeDecodeResult>;
  /** Cancels loading, lets the running job end, rejects queued ones with `cancelled`, frees everything. Idempotent. */
  stage_close(stage: StageHandle): Promise<void>;

  tokenize(stage: StageHandle, text: string, add_special: boolean, parse_special: boolean): Int32Array;
  /** The bytes of the tokens; may cut a UTF-8 character. */
  detokenize(stage: StageHandle, tokens: Int32Array, render_special: boolean): Uint8Array;

  sampler_create(stage: StageHandle, params: NativeSamplerParams): SamplerHandle;
  /**
   * Feeds tokens without sampling: to the penalties, and with `generated` also to the grammar and the random numbers,
   * so that the sampler stands where one that had chosen these tokens would.
   */
  sampler_accept(sampler: SamplerHandle, tokens: Int32Array, generated: boolean): void;
  sampler_close(sampler: SamplerHandle): void;

  /**
   * `request` is JSON text: `{messages, tools, tool_choice, parallel_tool_calls, json_schema, grammar,
   * add_generation_prompt, enable_thinking, template_variables}` with OpenAI's shapes; `json_schema` is text; absent parts
   * are `null`.
   */
  chat_apply(stage: StageHandle, request: string): NativeChatPrompt;
  /** Raw answer text so far → a `NativeChatMessage` as JSON text. */
  chat_parse(stage: StageHandle, parser_state: string, text: string, is_partial: boolean): string;
  /** JSON schema text → GBNF text. */
  json_schema_to_grammar(schema: string): string;
}
