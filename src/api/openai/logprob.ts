import type { TokenLogprob } from "../../core/inference.js";

/** What OpenAI writes for a token that cannot come; JSON has no infinity. */
const IMPOSSIBLE = -9999;

export function sayable(logprob: number): number {
  return Number.isFinite(logprob) ? logprob : IMPOSSIBLE;
}

export function logprobJson({ top, ...chosen }: TokenLogprob) {
  return { ...tokenJson(chosen), top_logprobs: top.map(tokenJson) };
}

/** `id` is llama-server's addition. */
function tokenJson({ token, text, bytes, logprob }: Omit<TokenLogprob, "top">) {
  return { id: token, token: text, bytes, logprob: sayable(logprob) };
}
