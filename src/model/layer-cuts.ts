import type { GgufMetadata } from "./gguf-metadata.js";

/** Where a model may be cut between two layers, and how much crosses there. */
export interface LayerCuts {
  /** `allowed[layer]`: a stage may begin at this layer. As long as the layers; layer 0 is always a beginning. */
  readonly allowed: readonly boolean[];
  /** Numbers per row that cross before each layer; the last entry is what comes back to the head. */
  readonly rowElements: readonly number[];
  /** Ends the sentence "… can be cut nowhere/only in places: " where not every boundary is allowed; `null` where all are. */
  readonly reason: string | null;
}

/**
 * Architectures whose parts were shown to equal the whole. This table, and all that follows from it, says what
 * `vendor/overlay/src/exo-stage-archs.cpp` says when a stage is loaded; a test holds the two together.
 */
export const CUTTABLE: ReadonlySet<string> = new Set(
  (
    "afmoe apertus arcee arctic baichuan bailingmoe bailingmoe2 bailingmoe3 bloom chatglm codeshell cogvlm cohere2 cohere2moe " +
    "command-r dbrx deci deepseek deepseek2 deepseek32 deepseek4 dots1 dots3note dream ernie4_5 ernie4_5-moe exaone exaone-moe " +
    "exaone4 falcon falcon-h1 gemma gemma2 gemma3 gemma4 glm-dsa glm4 glm4moe gpt-oss gpt2 gptneox granite granite_swa " +
    "granitehybrid granitemoe grok grovemoe hunyuan-dense hunyuan-moe hunyuan_vl hy_v3 hy_v4 internlm2 jais jais2 jamba kimi-k3 " +
    "kimi-linear laguna lfm2 lfm2moe llada llada-moe llama llama4 maincoder mamba mamba2 maple mellum mimo2 minicpm minicpm3 " +
    "minimax-01 minimax-m2 minimax-m3 mistral3 mistral4 mpt muse-glimmer nanbeige nemotron nemotron_h nemotron_h_moe olmo olmo2 " +
    "olmoe openelm orion paddleocr pangu-embedded phi2 phi3 phimoe plamo plamo2 plamo3 pockettts qwen qwen2 qwen2moe qwen2vl " +
    "qwen3 qwen35 qwen35moe qwen3moe qwen3next qwen3tts qwen3vl qwen3vlmoe qwen4exp refact rnd1 rwkv6 seed_oss smallthinker " +
    "smollm3 spark2_5 stablelm starcoder starcoder2 step35 talkie xverse " +
    "bert eurobert gemma-embedding jina-bert-v2 jina-bert-v3 llama-embed modern-bert neo-bert nomic-bert nomic-bert-moe"
  ).split(" "),
);

const WHOLE_ONLY: Readonly<Record<string, string>> = {
  hrm_text: "its stacks of layers run several times over the same weights",
  t5: "its decoder reads the encoder's states in every layer",
  rwkv7: "every layer uses values of the first",
  arwkv7: "every layer uses values of the first",
  gemma3n: "every layer uses an embedding of its own",
  graniteswitch: "every layer uses the choice of a router layer",
  eagle3: "it is a draft model that reads another model's states",
  dflash: "it is a draft model that reads another model's states",
  "gemma4-assistant": "it is a draft model that reads another model's states",
};

/** What a model's metadata says of its boundaries. */
export function layerCuts(metadata: GgufMetadata, layers: number): LayerCuts {
  const { allowed, reason } = boundaries(metadata, layers);
  const width = metadata.requiredSize("embedding_length");
  const rowElements = Array.from({ length: layers + 1 }, (_, layer) => width * streams(metadata, layer, layers));
  return { allowed: Array.from({ length: layers }, (_, layer) => layer === 0 || allowed(layer)), rowElements, reason };
}

interface Boundaries {
  readonly allowed: (layer: number) => boolean;
  readonly reason: string | null;
}

const EVERYWHERE: Boundaries = { allowed: () => true, reason: null };

const nowhere = (reason: string): Boundaries => ({ allowed: () => false, reason });

function boundaries(metadata: GgufMetadata, layers: number): Boundaries {
  const { architecture } = metadata;
  const known = WHOLE_ONLY[architecture];
  if (known !== undefined) return nowhere(known);
  if (!CUTTABLE.has(architecture)) return nowhere("its parts have not been shown to equal the whole");
  if (architecture === "nanbeige" && metadata.size("num_loops", 1) > 1) {
    return nowhere("it runs its layers several times over the same weights");
  }
  return sharedIndexer(metadata, layers) ?? sharedKeys(metadata, layers) ?? EVERYWHERE;
}

/** Contexts from which on GLM's models share indexers among layers without saying which. Source: glm-dsa.cpp. */
const GLM_SHARES_FROM = 1_048_576;

/** Some layers attend to what an indexer in an earlier layer has selected. */
function sharedIndexer(metadata: GgufMetadata, layers: number): Boundaries | null {
  const { architecture } = metadata;
  const shares =
    architecture === "glm-dsa" || (architecture === "hy_v4" && metadata.size("attention.indexer.top_k", 0) > 0);
  if (!shares) return null;
  const own = metadata.sizePerLayer("attention.indexer.types", layers, indexerDefaults(metadata, layers));
  return own.every((flag) => flag !== 0)
    ? null
    : { allowed: (layer) => own[layer] !== 0, reason: "some layers attend to what an earlier layer has selected" };
}

function indexerDefaults(metadata: GgufMetadata, layers: number): readonly number[] {
  if (metadata.architecture !== "glm-dsa") return new Array<number>(layers).fill(0);
  const shares = metadata.requiredSize("context_length") >= GLM_SHARES_FROM;
  return Array.from({ length: layers }, (_, layer) => (!shares || layer < 2 || (layer - 2) % 4 === 0 ? 1 : 0));
}

/** Gemma 4: an embedding for each layer, or later layers that attend to the keys and values of two earlier ones. */
function sharedKeys(metadata: GgufMetadata, layers: number): Boundaries | null {
  if (metadata.architecture !== "gemma4") return null;
  if (metadata.size("embedding_length_per_layer_input", 0) > 0) {
    return nowhere("every layer uses an embedding of its own");
  }
  const own = layers - metadata.size("attention.shared_kv_layers", 0);
  if (own >= layers) return null;
  const reason = `layers from ${own} on attend to keys and values of layers ${own - 2} and ${own - 1}`;
  return { allowed: (layer) => layer <= own - 2, reason };
}

/** Hidden states that cross before a layer. Source: `exo_stage_streams`. */
function streams(metadata: GgufMetadata, layer: number, layers: number): number {
  switch (metadata.architecture) {
    case "deepseek4":
    case "hy_v4":
    case "qwen4exp":
      return Math.max(1, metadata.size("hyper_connection.count", 1));
    case "kimi-k3": {
      const block = metadata.size("attn_res.block_size", 0);
      return block === 0 ? 1 : 1 + Math.ceil(layer / block);
    }
    case "talkie":
      return layer < layers ? 2 : 1;
    default:
      return 1;
  }
}
