import type { GgufTensor } from "../../model/gguf-header.js";

const OF_LAYER = /^blk\.(\d+)\./;
const NORM = /norm.*\.weight$/;
/** Chooses a layer's experts. */
const ROUTER = /\.ffn_gate_inp\.weight$/;

/**
 * The values that a tensor must have for the sake of speed; `null` where zeros are as fast as any others. Only of experts
 * does it depend on values which are computed, so routers are random, and so is what they see: norms let it pass.
 *
 * @param layers that are to be computed
 */
export function probeValues(tensor: GgufTensor, layers: ReadonlySet<number>): Buffer | null {
  const layer = OF_LAYER.exec(tensor.name)?.[1];
  if (layer !== undefined && !layers.has(Number(layer))) return null;
  if (ROUTER.test(tensor.name)) return randomValues(tensor);
  return tensor.type === "F32" && tensor.rows === 1 && NORM.test(tensor.name) ? ones(tensor.elements) : null;
}

function ones(count: number): Buffer {
  return Buffer.from(new Float32Array(count).fill(1).buffer);
}

/** Between 0.25 and 0.5, of either sign. Quantized routers, which nobody makes, stay zero. */
function randomValues({ type, elements }: GgufTensor): Buffer | null {
  const next = randomBits();
  switch (type) {
    case "F32":
      return Buffer.from(Uint32Array.from({ length: elements }, () => 0x3e800000 | (next() & 0x807fffff)).buffer);
    case "F16":
      return Buffer.from(Uint16Array.from({ length: elements }, () => 0x3400 | (next() & 0x83ff)).buffer);
    case "BF16":
      return Buffer.from(Uint16Array.from({ length: elements }, () => 0x3e80 | (next() & 0x807f)).buffer);
    default:
      return null;
  }
}

/** Numbers between -1 and 1, the same each time. */
export function randomStates(count: number): Float32Array<ArrayBuffer> {
  const next = randomBits();
  return Float32Array.from({ length: count }, () => next() / 2 ** 31);
}

/** 32 bits at a time, signed: xorshift. */
function randomBits(): () => number {
  let state = 0x2545f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
}
