import type { ActivationType } from "../../src/native/activation.js";
import type { KvType } from "../../src/native/stage-options.js";

/** One way to run a model, whose answers are held against those of the model in one piece. */
export interface Variant {
  readonly name: string;
  /** Layers are cut into this many ranges; hidden states cross as many edges as a ring of that many nodes has. */
  readonly stages: number;
  readonly wire: ActivationType;
  readonly kvTypeK: KvType;
  readonly kvTypeV: KvType;
  /** Rows in one micro-batch. */
  readonly batchSize: number;
}

export const EXACT: Variant = {
  name: "one stage",
  stages: 1,
  wire: "f32",
  kvTypeK: "f16",
  kvTypeV: "f16",
  batchSize: 128,
};

/** What difference it makes that sums are taken in another order: the measure of what is small. */
const OTHER_CHUNKS: Variant = { ...EXACT, name: "one stage, prompt in chunks of 32, not 128", batchSize: 32 };

const WIRES: readonly ActivationType[] = ["f32", "f16", "q8_0"];

const CACHES: readonly (readonly [KvType, KvType])[] = [
  ["f32", "f32"],
  ["q8_0", "q8_0"],
  ["q8_0", "q4_0"],
  ["q5_1", "q5_1"],
  ["q4_0", "q4_0"],
];

function wireVariant(stages: number, wire: ActivationType): Variant {
  return { ...EXACT, name: `${stages} stages, wire ${wire}`, stages, wire };
}

function cacheVariant(kvTypeK: KvType, kvTypeV: KvType): Variant {
  const name = kvTypeK === kvTypeV ? `KV cache ${kvTypeK}` : `KV cache ${kvTypeK}, values ${kvTypeV}`;
  return { ...EXACT, name, kvTypeK, kvTypeV };
}

/** What is compared for a model whose hidden states are rows of `embeddingSize` numbers. */
export function variantsFor(embeddingSize: number, headSize: number): readonly Variant[] {
  const wires = WIRES.filter((wire) => wire !== "q8_0" || embeddingSize % 32 === 0);
  // Blocks of the quantized caches lie within one head.
  const caches = CACHES.filter(([key]) => key === "f32" || headSize % 32 === 0);
  return [
    OTHER_CHUNKS,
    ...[2, 3].flatMap((stages) => wires.map((wire) => wireVariant(stages, wire))),
    ...caches.map(([key, value]) => cacheVariant(key, value)),
  ];
}

/** Layer ranges as equal as can be, and the output head at the end of the way round as a ring has it. */
export function rangesOf(layerCount: number, stages: number): readonly (readonly [begin: number, end: number])[] {
  const edge = (index: number): number => Math.round((index * layerCount) / stages);
  return Array.from({ length: stages }, (_, index) => [edge(index), edge(index + 1)] as const);
}
