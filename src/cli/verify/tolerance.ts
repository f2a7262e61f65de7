import type { Device } from "../../native/devices.js";
import type { BenchTarget } from "../bench/bench-target.js";
import type { RingAnswer } from "./ask-ring.js";
import type { RingComputing } from "./ring-computing.js";

/**
 * The mean difference of log-probabilities in an answer that passes for rounding. Seen with TinyLlama on two nodes, IQ2_XXS
 * and Q4_0: 0.04 where the cache or other requests change the batches, 0.05 with q8_0 on the wire (0.46 at one place). A
 * wrong layer, position or cache is off by far more.
 */
export const DEFAULT_TOLERANCE = 0.25;

/** Where both compute the same shapes with the same kernels there is no rounding: the bits are the same. */
export const EXACT_TOLERANCE = 0.001;

/**
 * Positions up to which one row's attention is the same with any number of threads: over 512 cells and more ggml divides
 * the sum among its threads, and llama.cpp shows it 256 cells at a time.
 */
const ALIKE_POSITIONS = 256;

/**
 * Whether an answer has to be the same to the last digit: nothing but it was computed, in known chunks, on processors like
 * this one, and was handed on as it was.
 */
export function mustBeExact(
  answer: Pick<RingAnswer, "way" | "prompt" | "tokens">,
  { ring, cluster }: Pick<BenchTarget, "ring" | "cluster">,
  computing: RingComputing,
  devices: readonly Device[],
): boolean {
  const positions = answer.prompt.length + answer.tokens.length;
  if (answer.way !== "alone" || positions > ALIKE_POSITIONS || !computing.told || !computing.exactWire) return false;
  if (ring.busy_slots !== 0 || devices.some(({ kind }) => kind !== "cpu")) return false;
  const processors = describe(devices);
  return ring.stages.every(({ node_id }) => {
    const node = cluster.nodes.find(({ id }) => id === node_id);
    return node !== undefined && describe(node.devices) === processors;
  });
}

function describe(devices: readonly { readonly description: string }[]): string {
  return devices.map(({ description }) => description).join("\n");
}
