import type { SpeculationMode } from "../../config/config.js";
import { ExoError } from "../../core/errors.js";
import type { GgufInfo } from "../../model/gguf-info.js";
import type { ResolvedModel, ResolveOptions } from "../../model/resolved-model.js";

/** As in `Settings`. */
export interface SpeculationOptions {
  readonly speculation: SpeculationMode;
  /** Tokens drafted at a time for one request, at most. */
  readonly draftTokens: number;
  /** Model spec, or `null`: none. */
  readonly draftModel: string | null;
}

/** What is to be drafted, with the draft model on this machine. */
export interface SpeculationSettings {
  readonly ngrams: boolean;
  /** 0: nothing is drafted. */
  readonly draftTokens: number;
  readonly draftModel: DraftModelFile | null;
}

export interface DraftModelFile {
  readonly id: string;
  readonly path: string;
  readonly info: GgufInfo;
}

export const NO_SPECULATION: SpeculationSettings = { ngrams: false, draftTokens: 0, draftModel: null };

/** Logits that a head has room for at least, whatever is drafted. */
const LEAST_OUTPUTS = 32;

/** Fetches the draft model, if there is to be one. */
export async function resolveSpeculation(
  { speculation: mode, draftTokens, draftModel }: SpeculationOptions,
  models: { resolve(spec: string, options: ResolveOptions): Promise<ResolvedModel> },
  signal: AbortSignal | undefined,
): Promise<SpeculationSettings> {
  if (mode === "off") return NO_SPECULATION;
  if (mode === "draft" && draftModel === null) {
    throw new ExoError("invalid_argument", "Drafting with a model needs one: name it with --draft-model.", {
      param: "--draft-model",
    });
  }
  const ngrams = mode !== "draft";
  if (mode === "ngram" || draftModel === null) return { ngrams, draftTokens, draftModel: null };
  const { id, path, info } = await models.resolve(draftModel, signal === undefined ? {} : { signal });
  return { ngrams, draftTokens, draftModel: { id, path, info } };
}

/** Rows of one micro-batch that the stage with the output head must be able to give logits of. */
export function outputRows(slots: number, batchSize: number, { draftTokens }: SpeculationSettings): number {
  return Math.min(batchSize, Math.max(LEAST_OUTPUTS, slots + draftTokens));
}
