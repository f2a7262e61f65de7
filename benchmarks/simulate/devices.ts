/** A dense model that a device was measured with. Parameters without the token embedding. */
export interface MeasuredModel {
  readonly bytes: number;
  readonly parameters: number;
}

/** What llama-bench measured on one device alone. Tokens per second. */
export interface DeviceSpec {
  readonly name: string;
  readonly label: string;
  /** Bytes that weights and caches may take. */
  readonly memory: number;
  readonly decode: { readonly model: MeasuredModel; readonly tokensPerSecond: number };
  /** Of a prompt in chunks of 512. */
  readonly prefill: { readonly model: MeasuredModel; readonly tokensPerSecond: number };
}

const GB = 1e9;
const BILLION = 1e9;

const LLAMA_3B_Q4_K_M = { bytes: 2.01 * GB, parameters: 3.21 * BILLION };
const LLAMA_8B_Q4_0 = { bytes: 4.66 * GB, parameters: 7.5 * BILLION };
const LLAMA_8B_Q4_K_M = { bytes: 4.92 * GB, parameters: 7.5 * BILLION };
const LLAMA_8B_Q6_K = { bytes: 6.6 * GB, parameters: 7.5 * BILLION };
const LLAMA_70B_Q4_K_M = { bytes: 42.52 * GB, parameters: 69.5 * BILLION };

/** Each from a published run on a machine like it; memory is what is left of it for a model. */
export const DEVICES: readonly DeviceSpec[] = [
  {
    // github.com/brand-o/normiebench/issues/3: Mac mini M4, 16 GB, Metal
    name: "m4",
    label: "Mac mini M4, 16 GB",
    memory: 11 * GB,
    decode: { model: LLAMA_8B_Q4_K_M, tokensPerSecond: 20.87 },
    prefill: { model: LLAMA_8B_Q4_K_M, tokensPerSecond: 224.81 },
  },
  {
    // github.com/brand-o/normiebench/issues/40: MacBook Pro M1 Max, 64 GB, Metal
    name: "m1-max",
    label: "MacBook Pro M1 Max, 64 GB",
    memory: 48 * GB,
    decode: { model: LLAMA_8B_Q4_K_M, tokensPerSecond: 46.2 },
    prefill: { model: LLAMA_8B_Q4_K_M, tokensPerSecond: 499.58 },
  },
  {
    // github.com/geerlingguy/beowulf-ai-cluster/issues/17: Mac Studio M3 Ultra, 80 GPU cores, 512 GB, Metal
    name: "m3-ultra",
    label: "Mac Studio M3 Ultra, 512 GB",
    memory: 460 * GB,
    decode: { model: LLAMA_70B_Q4_K_M, tokensPerSecond: 14.41 },
    prefill: { model: LLAMA_70B_Q4_K_M, tokensPerSecond: 162.3 },
  },
  {
    // github.com/geerlingguy/ai-benchmarks/issues/21: Framework Desktop, Ryzen AI Max+ 395, 128 GB, ROCm
    name: "strix-halo",
    label: "Framework Desktop Ryzen AI Max+ 395, 128 GB",
    memory: 105 * GB,
    decode: { model: LLAMA_3B_Q4_K_M, tokensPerSecond: 74.98 },
    prefill: { model: LLAMA_3B_Q4_K_M, tokensPerSecond: 573.52 },
  },
  {
    // github.com/dmatora/LLM-inference-speed-benchmarks/issues/12: RTX 3080, CUDA
    name: "rtx-3080",
    label: "RTX 3080, 10 GB",
    memory: 9 * GB,
    decode: { model: LLAMA_8B_Q4_K_M, tokensPerSecond: 111.95 },
    prefill: { model: LLAMA_8B_Q4_K_M, tokensPerSecond: 3806.89 },
  },
  {
    // RTX 3090, CUDA: decode github.com/ggml-org/llama.cpp/pull/15802 (Q4_0, batch 1), prompt /pull/7860 (Q6_K, chunks of 512)
    name: "rtx-3090",
    label: "RTX 3090, 24 GB",
    memory: 22.5 * GB,
    decode: { model: LLAMA_8B_Q4_0, tokensPerSecond: 156.56 },
    prefill: { model: LLAMA_8B_Q6_K, tokensPerSecond: 3491.21 },
  },
];
