import { ExoError } from "../core/errors.js";
import type { NativeActivationType } from "./bindings.js";

/** How hidden states are stored, on the wire and at a stage's input. f32 is exact. */
export type ActivationType = NativeActivationType;

export const ACTIVATION_TYPES: readonly ActivationType[] = ["f32", "f16", "q8_0"];

/** q8_0: blocks of 32 numbers, each an f16 scale and 32 signed bytes (ggml's `block_q8_0`). */
const Q8_0_BLOCK_ELEMENTS = 32;
const Q8_0_BLOCK_BYTES = 34;

/** Bytes of one row of `size` numbers (`StageInfo.inputSize` or `outputSize`). */
export function activationRowBytes(type: ActivationType, size: number): number {
  switch (type) {
    case "f32":
      return size * 4;
    case "f16":
      return size * 2;
    case "q8_0":
      if (size % Q8_0_BLOCK_ELEMENTS !== 0) {
        throw new ExoError(
          "unsupported",
          `Hidden states of ${size} numbers cannot travel as q8_0, which takes blocks of ${Q8_0_BLOCK_ELEMENTS}; use f32 or f16.`,
        );
      }
      return (size / Q8_0_BLOCK_ELEMENTS) * Q8_0_BLOCK_BYTES;
  }
}
