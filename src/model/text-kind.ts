import type { GgufMetadata } from "./gguf-metadata.js";

/** What a model does with a text. */
export interface TextKind {
  /** How its file says that the hidden states of a text become an embedding; `null`: it does not say. */
  readonly pooling: Pooling | null;
  /** Tokens look at those behind them, so a text is computed in one micro-batch. */
  readonly wholeTexts: boolean;
  /** Made for embeddings alone. */
  readonly encoder: boolean;
}

export type Pooling = "mean" | "cls" | "last" | "rank";

/** What a model can be asked for: answers, embeddings. */
export type Capability = "completion" | "embedding";

/** `enum llama_pooling_type`; others are none. */
const POOLING: ReadonlyMap<number, Pooling> = new Map([
  [1, "mean"],
  [2, "cls"],
  [3, "last"],
  [4, "rank"],
]);

/** As `vendor/overlay/src/exo-text.cpp` has them; a test holds the two together. */
export const ENCODERS: ReadonlySet<string> = new Set(
  (
    "bert modern-bert nomic-bert nomic-bert-moe neo-bert jina-bert-v2 jina-bert-v3 eurobert gemma-embedding llama-embed " +
    "t5encoder"
  ).split(" "),
);

/** Language models whose tokens all look at each other. Source: `causal_attn` in their files of llama.cpp's src/models. */
const DIFFUSION: ReadonlySet<string> = new Set(["dream", "llada", "llada-moe", "rnd1"]);

/** Those of them that keep nothing of a text. Source: `llama_model::create_memory`. */
const WITH_CACHE: ReadonlySet<string> = new Set(["llama-embed", "t5encoder"]);

export function textKind(metadata: GgufMetadata): TextKind {
  const { architecture } = metadata;
  const encoder = ENCODERS.has(architecture);
  const looksAhead = DIFFUSION.has(architecture) || !metadata.flag("attention.causal", true);
  return {
    pooling: POOLING.get(metadata.size("pooling_type", 0)) ?? null,
    wholeTexts: encoder || looksAhead,
    encoder,
  };
}

/** Nothing is kept between the tokens of a text. */
export function keepsNothing(architecture: string): boolean {
  return (ENCODERS.has(architecture) || DIFFUSION.has(architecture)) && !WITH_CACHE.has(architecture);
}

export function capabilitiesOf({ architecture, texts }: { architecture: string; texts: TextKind }): Capability[] {
  if (texts.pooling === "rank" || architecture === "t5encoder") return [];
  if (texts.encoder || texts.pooling !== null || keepsNothing(architecture)) return ["embedding"];
  return ["completion", "embedding"];
}
