import { layerLoop } from "./layer-loop.js";
import type { Rule } from "./rule.js";
import { SPECIAL_LOOP_RULES } from "./special-loops.js";

/** The common form: the hidden state is `inpL`. */
// biome-ignore format: one line per name would hide the shape of the table
const COMMON = [
  "afmoe", "apertus", "arcee", "arctic", "arwkv7", "baichuan", "bailingmoe", "bailingmoe2", "bert", "bitnet",
  "bloom", "chameleon", "chatglm", "codeshell", "cogvlm", "cohere2", "cohere2moe", "command-r", "dbrx", "deci", "deepseek",
  "deepseek2", "deepseek32", "dots1", "dots3note", "dream", "ernie4-5-moe", "ernie4-5", "eurobert", "exaone-moe", "exaone",
  "exaone4", "falcon-h1", "falcon", "gemma-embedding", "gemma", "gemma2", "gemma3", "gemma3n", "gemma4", "glm-dsa",
  "glm4-moe", "glm4", "gpt2", "gptneox", "granite-hybrid", "granite-swa", "granite-switch", "granite", "grok",
  "grovemoe", "hunyuan-moe", "hunyuan-vl", "hy-v3", "internlm2", "jais", "jais2", "jamba", "kimi-linear", "laguna",
  "llada-moe", "llada", "llama", "llama4", "maincoder", "mamba", "maple", "mellum", "mimo2", "minicpm3",
  "minimax-01", "minimax-m2", "minimax-m3", "mistral3", "modern-bert", "mpt", "muse-glimmer", "nanbeige",
  "nemotron-h", "nemotron", "neo-bert", "olmo", "olmo2", "olmoe", "openai-moe", "openelm", "orion", "paddleocr",
  "pangu-embed", "phi2", "phi3", "plamo", "plamo2", "plamo3", "plm", "pockettts", "qwen", "qwen2", "qwen2moe",
  "qwen2vl", "qwen3", "qwen35", "qwen35moe", "qwen3moe", "qwen3next", "qwen3vl", "qwen3vlmoe", "refact", "rnd1",
  "rwkv6", "rwkv6qwen2", "rwkv7", "seed-oss", "smallthinker", "smollm3", "spark2-5", "stablelm", "starcoder",
  "starcoder2", "step35", "xverse",
] as const;

/** No layer loop of their own: base classes, or models that use the graph of another file. */
// biome-ignore format: one line per name would hide the shape of the table
const WITHOUT_LOOP = [
  "clip", "deepseek2ocr", "delta-net-base", "eagle3", "gemma4-assistant", "granite-moe", "hunyuan-dense",
  "jina-bert-v2", "jina-bert-v3", "lfm2moe", "llama-embed", "mamba-base", "mamba2", "minicpm", "mistral4",
  "nemotron-h-moe", "nomic-bert-moe", "nomic-bert", "phimoe", "qwen3tts", "rwkv6-base", "rwkv7-base", "t5encoder",
  "wavtokenizer-dec",
] as const;

/** Refused at load by vendor/overlay/src/exo-stage-archs.cpp; whole models run as they are. */
const UNSPLIT = ["dflash", "hrm-text", "t5"] as const;

/** Like the common form, but the hidden state has another name or is several, or the file has a second such loop. */
const SPECIAL = ["bailingmoe3", "deepseek4", "hy-v4", "kimi-k3", "lfm2", "qwen4exp", "talkie"] as const;

/** Names of all files of `src/models`: a release that adds or drops one fails the build until it is placed above. */
export const MODEL_FILES: readonly string[] = [...COMMON, ...WITHOUT_LOOP, ...UNSPLIT, ...SPECIAL].map(
  (name) => `${name}.cpp`,
);

export const LAYER_LOOP_RULES: readonly Rule[] = [
  ...COMMON.map((model) => layerLoop({ model })),
  ...SPECIAL_LOOP_RULES,
];
