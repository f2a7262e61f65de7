import { z } from "zod";

const count = z.int().nonnegative();

/** Tokens of a model's requests at the head, since that node was started: differences tell how many flow. */
export const ringTokens = z.object({
  /** Of prompts, those found in a KV cache too. */
  prompt: count,
  cached: count,
  generated: count,
  /** Drafted tokens that became part of an answer, and those computed for nothing. */
  acceptedDraft: count,
  rejectedDraft: count,
});

export type RingTokensRecord = z.infer<typeof ringTokens>;

export const NO_TOKENS: RingTokensRecord = { prompt: 0, cached: 0, generated: 0, acceptedDraft: 0, rejectedDraft: 0 };
