import type { SamplingOptions } from "../core/inference.js";
import type { GgufInfo } from "./gguf-info.js";
import type { ProgressListener } from "./progress.js";
import type { RangeSource } from "./sparse/range-source.js";

/** A model of which the header, and as much else as was asked for, is on this machine. */
export interface ModelHeader {
  /** The name the API uses, e.g. `tinyllama`. */
  readonly id: string;
  /** The spec in the spelling that another node finds the same model by. */
  readonly spec: string;
  /** First file; further parts lie beside it. What was not asked for may be holes. */
  readonly path: string;
  /** sha256 of the files' headers: nodes with the same one have the same model, as far as headers tell. */
  readonly hash: string;
  /** Of the whole model. */
  readonly bytes: number;
  readonly info: GgufInfo;
  /** Sampling that suits the model; empty when nothing is known. */
  readonly defaults: SamplingOptions;
  /** SPDX name, or `null` when unknown. */
  readonly licence: string | null;
}

/** A model whose files, or the part of them that was asked for, are on this machine. */
export type ResolvedModel = ModelHeader;

export interface ResolveOptions {
  /** Whom ranges can be had from beside the hub. */
  readonly peers?: readonly RangeSource[];
  /** `ModelHeader.hash` of the model that is meant, where it is known. */
  readonly hash?: string | null;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}
