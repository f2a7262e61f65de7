/** A model as far as its speed goes. */
export interface ModelSpec {
  readonly name: string;
  readonly label: string;
  /** Of all weights, and of those that one token meets; without the token embedding, of which a token meets one row. */
  readonly parameters: number;
  readonly activeParameters: number;
  /** Of the file. */
  readonly bytes: number;
  readonly layers: number;
  readonly embeddingSize: number;
  readonly vocabularySize: number;
  /** Experts of a layer and how many a token meets; `null`: dense. */
  readonly experts: { readonly count: number; readonly used: number } | null;
  /** Numbers that a layer keeps of each token: keys and values, in f16. */
  readonly cacheElements: number;
}

const BILLION = 1e9;

/**
 * Shapes: `config.json` of the models on huggingface.co; bytes: the GGUF files in the named format there (llama-bench prints
 * 39.59 GiB and 70.55 B for llama-3.3-70b). Keys and values: heads × head size × 2, or DeepSeek's compressed 512 + 64.
 */
export const MODELS: readonly ModelSpec[] = [
  {
    name: "tinyllama",
    label: "TinyLlama 1.1B Q4_0",
    parameters: 1.035 * BILLION,
    activeParameters: 1.035 * BILLION,
    bytes: 0.637 * BILLION,
    layers: 22,
    embeddingSize: 2048,
    vocabularySize: 32_000,
    experts: null,
    cacheElements: 2 * 4 * 64,
  },
  {
    name: "llama-3.1-8b",
    label: "Llama 3.1 8B Q4_K_M",
    parameters: 7.5 * BILLION,
    activeParameters: 7.5 * BILLION,
    bytes: 4.92 * BILLION,
    layers: 32,
    embeddingSize: 4096,
    vocabularySize: 128_256,
    experts: null,
    cacheElements: 2 * 8 * 128,
  },
  {
    name: "qwen3-30b-a3b",
    label: "Qwen3 30B A3B Q4_K_M",
    parameters: 30.2 * BILLION,
    activeParameters: 3.0 * BILLION,
    bytes: 18.56 * BILLION,
    layers: 48,
    embeddingSize: 2048,
    vocabularySize: 151_936,
    experts: { count: 128, used: 8 },
    cacheElements: 2 * 4 * 128,
  },
  {
    name: "qwen3-32b",
    label: "Qwen3 32B Q4_K_M",
    parameters: 32.0 * BILLION,
    activeParameters: 32.0 * BILLION,
    bytes: 19.76 * BILLION,
    layers: 64,
    embeddingSize: 5120,
    vocabularySize: 151_936,
    experts: null,
    cacheElements: 2 * 8 * 128,
  },
  {
    name: "llama-3.3-70b",
    label: "Llama 3.3 70B Q4_K_M",
    parameters: 69.5 * BILLION,
    activeParameters: 69.5 * BILLION,
    bytes: 42.52 * BILLION,
    layers: 80,
    embeddingSize: 8192,
    vocabularySize: 128_256,
    experts: null,
    cacheElements: 2 * 8 * 128,
  },
  {
    name: "gpt-oss-120b",
    label: "gpt-oss 120B MXFP4",
    parameters: 116.2 * BILLION,
    activeParameters: 5.1 * BILLION,
    bytes: 63.4 * BILLION,
    layers: 36,
    embeddingSize: 2880,
    vocabularySize: 201_088,
    experts: { count: 128, used: 4 },
    cacheElements: 2 * 8 * 64,
  },
  {
    name: "qwen3-235b-a22b",
    label: "Qwen3 235B A22B Q4_K_M",
    parameters: 234.5 * BILLION,
    activeParameters: 21.6 * BILLION,
    bytes: 142.6 * BILLION,
    layers: 94,
    embeddingSize: 4096,
    vocabularySize: 151_936,
    experts: { count: 128, used: 8 },
    cacheElements: 2 * 4 * 128,
  },
  {
    name: "deepseek-r1-671b",
    label: "DeepSeek R1 671B Q4_K_M",
    parameters: 670 * BILLION,
    activeParameters: 36.6 * BILLION,
    bytes: 404 * BILLION,
    layers: 61,
    embeddingSize: 7168,
    vocabularySize: 129_280,
    experts: { count: 256, used: 8 },
    cacheElements: 512 + 64,
  },
];
