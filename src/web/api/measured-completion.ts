import { eventData } from "./event-stream.js";
import { at, listAt, numberAt, optionalNumberAt, textAt } from "./json.js";
import { jsonBody, type Server } from "./server.js";
import { eventError, interrupted } from "./server-error.js";

/** One answer as this page saw it. */
export interface MeasuredCompletion {
  /** From sending the request to the first piece. */
  readonly firstSeconds: number;
  readonly tokens: number;
  /** As the node measured it, from the first token on; `null`: it does not tell, or there was one token only. */
  readonly decodeTokensPerSecond: number | null;
}

export async function tokenize(server: Server, model: string, content: string, signal: AbortSignal): Promise<number[]> {
  const body = await server.post("/tokenize", { model, content, add_special: true }, signal);
  return listAt(body, "tokens").filter((token) => typeof token === "number");
}

/** Asks for exactly so many tokens, greedily and with nothing from a cache, and measures how they come. */
export async function measureCompletion(
  server: Server,
  question: { readonly model: string; readonly prompt: readonly number[]; readonly maxTokens: number },
  signal: AbortSignal,
): Promise<MeasuredCompletion> {
  const { model, prompt, maxTokens } = question;
  const exact = { temperature: 0, ignore_eos: true, cache_prompt: false, speculation: false };
  const fields = { ...exact, model, prompt, max_tokens: maxTokens, stream: true };
  const sentAt = performance.now();
  const { body } = await server.fetch("/v1/completions", jsonBody(fields, signal));
  if (body === null) throw interrupted();
  let firstAt: number | null = null;
  let end: unknown = null;
  for await (const data of eventData(body)) {
    if (data === "[DONE]") return completed(sentAt, firstAt, end);
    const chunk: unknown = JSON.parse(data);
    if (at(chunk, "error") !== undefined) throw eventError(chunk);
    if (at(chunk, "timings") !== undefined) end = chunk;
    if (textAt(chunk, "choices", 0, "text") !== "" || end !== null) firstAt ??= performance.now();
  }
  throw interrupted();
}

function completed(sentAt: number, firstAt: number | null, end: unknown): MeasuredCompletion {
  const tokens = numberAt(end, "timings", "predicted_n");
  const rate = optionalNumberAt(end, "timings", "predicted_per_second");
  return {
    firstSeconds: ((firstAt ?? performance.now()) - sentAt) / 1000,
    tokens,
    // The node counts the first token too, which came at the beginning of that time and not within it.
    decodeTokensPerSecond: rate === null || tokens < 2 ? null : (rate * (tokens - 1)) / tokens,
  };
}
