import { ExoError } from "../core/errors.js";
import type { NativeKvType, NativeStageParams } from "./bindings.js";
import { usableCores } from "./devices.js";

export type KvType = NativeKvType;

/** What part of which model to hold, and how. */
export interface StageOptions {
  /** First file of the model; further parts (`-00002-of-…`) are found beside it. */
  readonly modelPath: string;
  /** Half-open range `[layerBegin, layerEnd)`. The embedding is here when `layerBegin` is 0 and there are layers. */
  readonly layerBegin: number;
  readonly layerEnd: number;
  /**
   * Output head here: final norm and lm_head, logits and sampling. Needs `layerEnd` = the model's layer count; with
   * `layerBegin` = `layerEnd` the stage is the head's way back and holds no layer.
   */
  readonly hasOutput: boolean;
  /** Only tokenizer and chat template. Default false. */
  readonly vocabOnly?: boolean;
  /** Tokens per sequence. Default 4096. */
  readonly contextSize?: number;
  /** Sequences at once. Default 1. */
  readonly maxSequences?: number;
  /** Rows in one micro-batch. Default 512. */
  readonly batchSize?: number;
  /** Rows in one compute pass. Default: `batchSize`, at most 512. */
  readonly microBatchSize?: number;
  /**
   * Rows flagged `output` in one micro-batch, at a stage with the output head, whose logits take memory. Default: at
   * least 32, at least `maxSequences`, at most `batchSize`.
   */
  readonly maxOutputs?: number;
  /** Default: one per core of `usableCores()`. Stages of one process with the same numbers share their threads. */
  readonly threads?: number;
  /** Threads for batches of many rows. Default: `threads`. */
  readonly batchThreads?: number;
  /**
   * Threads spin for some milliseconds for the next token rather than sleep, because nobody else computes in between.
   * Default: the stage holds the whole model.
   */
  readonly keepAwake?: boolean;
  /** Device names of `listDevices()`. Default: CPU only. */
  readonly devices?: readonly string[];
  /** Layers of this stage on those devices, counted from its first. Default: all. */
  readonly gpuLayers?: number;
  /** Default f16. */
  readonly kvTypeK?: KvType;
  readonly kvTypeV?: KvType;
  /** Default auto. */
  readonly flashAttention?: "auto" | "on" | "off";
  /** One KV cache of `contextSize` tokens shared by all sequences, rather than one each. Default false. */
  readonly kvUnified?: boolean;
  /** Default true. */
  readonly useMmap?: boolean;
  /** Default false. */
  readonly useMlock?: boolean;
}

const DEFAULT_STAGE = {
  contextSize: 4096,
  maxSequences: 1,
  batchSize: 512,
  microBatchSize: 512,
  maxOutputs: 32,
  kvType: "f16",
  flashAttention: "auto",
} as const;

/** The one place where defaults become the complete native struct. */
export function toNativeStageParams(options: StageOptions): NativeStageParams {
  const batchSize = options.batchSize ?? DEFAULT_STAGE.batchSize;
  const threads = options.threads ?? usableCores().length;
  const maxSequences = options.maxSequences ?? DEFAULT_STAGE.maxSequences;
  const { layerBegin, layerEnd } = options;
  if (!options.vocabOnly && layerBegin === layerEnd && !options.hasOutput) {
    throw new ExoError(
      "invalid_argument",
      `Layers ${layerBegin}-${layerEnd} are none: a stage without layers makes sense only with the output head.`,
    );
  }
  return {
    model_path: options.modelPath,
    layer_begin: layerBegin,
    layer_end: layerEnd,
    has_output: options.hasOutput,
    vocab_only: options.vocabOnly ?? false,
    context_size: options.contextSize ?? DEFAULT_STAGE.contextSize,
    max_sequences: maxSequences,
    batch_size: batchSize,
    micro_batch_size: options.microBatchSize ?? Math.min(batchSize, DEFAULT_STAGE.microBatchSize),
    max_outputs: options.maxOutputs ?? Math.min(batchSize, Math.max(DEFAULT_STAGE.maxOutputs, maxSequences)),
    threads,
    batch_threads: options.batchThreads ?? threads,
    keep_awake: options.keepAwake ?? (layerBegin === 0 && layerEnd > 0 && options.hasOutput),
    devices: options.devices ?? [],
    gpu_layers: options.gpuLayers ?? -1,
    kv_type_k: options.kvTypeK ?? DEFAULT_STAGE.kvType,
    kv_type_v: options.kvTypeV ?? DEFAULT_STAGE.kvType,
    flash_attention: options.flashAttention ?? DEFAULT_STAGE.flashAttention,
    kv_unified: options.kvUnified ?? false,
    use_mmap: options.useMmap ?? true,
    use_mlock: options.useMlock ?? false,
  };
}
