/** Token ids are llama.cpp's `llama_token`, a 32-bit signed integer that is not negative. */
export function isTokenId(value: unknown): value is number {
  return Number.isInteger(value) && typeof value === "number" && value >= 0 && value <= 0x7f_ff_ff_ff;
}
