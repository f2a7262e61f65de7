import { counted, formatCount, formatSeconds } from "../app/format.js";
import type { AnswerFacts } from "./conversation.js";

/** `TTFT 120 ms · 31.4 tok/s · 85 tokens · prompt 40 tokens, 12 of them cached`; empty when no token came. */
export function factsText(facts: AnswerFacts | null): string {
  if (facts === null || facts.ttft === null) return "";
  return [
    `TTFT ${formatSeconds(facts.ttft)}`,
    ...(facts.tokensPerSecond === null ? [] : [`${facts.tokensPerSecond.toFixed(1)} tok/s`]),
    counted(facts.tokens, "token", "tokens"),
    ...promptText(facts),
  ].join(" · ");
}

function promptText({ promptTokens, cachedTokens }: AnswerFacts): readonly string[] {
  if (promptTokens === null) return [];
  const cached = cachedTokens !== null && cachedTokens > 0 ? `, ${formatCount(cachedTokens)} of them cached` : "";
  return [`prompt ${counted(promptTokens, "token", "tokens")}${cached}`];
}

/** Tokens of the context that the conversation takes after this answer; `null`: not known. */
export function contextUsed(facts: AnswerFacts | null): number | null {
  return facts === null || facts.promptTokens === null ? null : facts.promptTokens + facts.tokens;
}
