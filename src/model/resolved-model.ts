import type { SamplingOptions } from "../core/inference.js";
import type { GgufInfo } from "./gguf-info.js";

/** A model whose files are on this machine. */
export interface ResolvedModel {
  /** The name the API uses, e.g. `tinyllama`. */
  readonly id: string;
  /** The spec in its canonical spelling; another node given this spec finds the same model. */
  readonly spec: string;
  /** First file; further parts lie beside it. */
  readonly path: string;
  readonly bytes: number;
  readonly info: GgufInfo;
  /** Sampling that suits the model; empty when nothing is known. */
  readonly defaults: SamplingOptions;
  /** SPDX name, or `null` when unknown. */
  readonly licence: string | null;
}

/** How far a model is from being ready. Bytes; `total` is `null` while nobody has said it. */
export interface ModelProgress {
  /** `waiting`: another process on this machine fetches the same model, and these are its numbers. */
  readonly phase: "waiting" | "downloading" | "verifying";
  readonly received: number;
  readonly total: number | null;
  readonly bytesPerSecond: number;
}

export interface ResolveOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ModelProgress) => void;
}
