import type { SamplingOptions } from "../core/inference.js";
import type { GgufInfo } from "./gguf-info.js";
import type { ProgressListener } from "./progress.js";

/** A model whose files are on this machine. */
export interface ResolvedModel {
  /** The name the API uses, e.g. `tinyllama`. */
  readonly id: string;
  /** The spec in the spelling that another node finds the same model by. */
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

export interface ResolveOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}
