import { z } from "zod";

const perSecond = z.number().nonnegative();

/**
 * Tokens per second over the last ten seconds, counted over the time in which there were any to compute, all requests
 * together; 0: none lately.
 */
export const ringRates = z.object({
  /** Of answers. */
  decode: perSecond,
  /** Of prompts, without tokens that a KV cache held already. */
  prompt: perSecond,
});

export type RingRatesRecord = z.infer<typeof ringRates>;

export const NO_RATES: RingRatesRecord = { decode: 0, prompt: 0 };
