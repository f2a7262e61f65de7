import { ExoError } from "../../core/errors.js";
import type { CompletionRequest, NodeClient } from "../node-client/node-client.js";

/** One answer as the client saw it. Seconds. */
export interface MeasuredAnswer {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly answerTokens: number;
  /** From sending the request to the first piece. */
  readonly firstSeconds: number;
  /** Between one piece of text and the next; pieces are single tokens, but where a character takes several. */
  readonly gaps: readonly number[];
  /** Of the prompt at the head, its wait for a slot excluded. */
  readonly prefillSeconds: number;
  /** At the head, from the first token on; 0 of an answer of one token. */
  readonly decodeTokensPerSecond: number;
}

/**
 * Greedy, to the last token that was asked for, and nothing from a cache unless it is asked for. No drafts: a model that
 * is kept from ending its answer repeats itself, which drafts guess better than any text worth asking for.
 */
const FIELDS = { temperature: 0, ignore_eos: true, cache_prompt: false, speculation: false };

export async function measureAnswer(
  client: Pick<NodeClient, "complete">,
  request: CompletionRequest,
  now: () => number,
  signal: AbortSignal,
): Promise<MeasuredAnswer> {
  const sentAt = now();
  const arrivals: number[] = [];
  for await (const piece of client.complete({ ...FIELDS, ...request }, signal)) {
    arrivals.push(now());
    if (piece.type !== "end") continue;
    if (piece.numbers === null) {
      throw new ExoError("peer_incompatible", "The node tells no timings; is it an exo-native node?");
    }
    const { promptTokens, cachedTokens, answerTokens, prefillSeconds, tokensPerSecond } = piece.numbers;
    return {
      promptTokens,
      cachedTokens,
      answerTokens,
      prefillSeconds,
      firstSeconds: ((arrivals[0] ?? sentAt) - sentAt) / 1000,
      gaps: gapsOf(arrivals.slice(0, -1)),
      // The head counts the first token too, which came at the beginning of that time and not within it.
      decodeTokensPerSecond: answerTokens > 1 ? (tokensPerSecond * (answerTokens - 1)) / answerTokens : 0,
    };
  }
  throw new ExoError("internal", "The answer ended without saying so.");
}

function gapsOf(arrivals: readonly number[]): number[] {
  return arrivals.slice(1).map((at, index) => (at - (arrivals[index] ?? at)) / 1000);
}
