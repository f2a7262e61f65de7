import { createParser } from "eventsource-parser";
import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import { failureIn } from "./api-failure.js";

/** One piece of an answer, in the order in which the model writes it. `end` comes once, last. */
export type ChatPiece =
  | { readonly type: "text"; readonly text: string; readonly tokens?: readonly AnswerToken[] }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "end"; readonly finishReason: string; readonly numbers: AnswerNumbers | null };

/** One token of a `/v1/completions` answer whose log-probabilities were asked for. */
export interface AnswerToken {
  readonly id: number;
  readonly text: string;
  /** NaN where the ring gave none. */
  readonly logprob: number;
}

/** As the head measured them. */
export interface AnswerNumbers {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly answerTokens: number;
  readonly prefillSeconds: number;
  readonly tokensPerSecond: number;
}

const logprobsSchema = z.object({
  tokens: z.array(z.string()),
  token_ids: z.array(z.int()).optional(),
  /** JSON has no NaN: what is none comes as null. */
  token_logprobs: z.array(z.number().nullable()),
});

const chunkSchema = z.object({
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish(), reasoning_content: z.string().nullish() }).nullish(),
      /** Instead of a delta, in /v1/completions. */
      text: z.string().nullish(),
      /** Those of chat have another shape, and nobody here asks for them. */
      logprobs: logprobsSchema.nullish().catch(null),
      finish_reason: z.string().nullish(),
    }),
  ),
  timings: z
    .object({
      cache_n: z.number(),
      prompt_n: z.number(),
      prompt_ms: z.number(),
      predicted_n: z.number(),
      predicted_per_second: z.number(),
    })
    .nullish(),
});

type Chunk = z.output<typeof chunkSchema>;

/** Reads the server-sent events of `/v1/chat/completions` and `/v1/completions`. Throws what an error event tells. */
export async function* readChatStream(body: ReadableStream<Uint8Array>): AsyncGenerator<ChatPiece, void, void> {
  let ended = false;
  for await (const data of eventData(body)) {
    if (data === "[DONE]") break;
    for (const piece of piecesOf(parseChunk(data))) {
      ended ||= piece.type === "end";
      yield piece;
    }
  }
  if (!ended) throw new ExoError("internal", "The node hung up before the answer had ended; its log may say why.");
}

async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  const waiting: string[] = [];
  const parser = createParser({ onEvent: (event) => waiting.push(event.data) });
  const decoder = new TextDecoder();
  try {
    for await (const bytes of body) {
      parser.feed(decoder.decode(bytes, { stream: true }));
      yield* waiting.splice(0);
    }
  } catch (thrown) {
    throw new ExoError("stage_lost", "The node went away in the middle of the answer.", { cause: thrown });
  }
}

function parseChunk(data: string): Chunk {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (thrown) {
    throw new ExoError("internal", "The node sent an event that is not JSON.", { cause: thrown });
  }
  const failure = failureIn(value);
  if (failure !== null) throw failure;
  const result = chunkSchema.safeParse(value);
  if (result.success) return result.data;
  throw new ExoError("internal", "The node sent an event that is not a chat chunk.", { cause: result.error });
}

function* piecesOf({ choices, timings }: Chunk): Generator<ChatPiece, void, void> {
  for (const { delta, text, logprobs, finish_reason } of choices) {
    if (delta?.reasoning_content) yield { type: "reasoning", text: delta.reasoning_content };
    if (delta?.content) yield { type: "text", text: delta.content };
    if (logprobs) yield { type: "text", text: text ?? "", tokens: tokensOf(logprobs) };
    else if (text) yield { type: "text", text };
    if (finish_reason) yield { type: "end", finishReason: finish_reason, numbers: numbersOf(timings ?? null) };
  }
}

function tokensOf({ tokens, token_ids, token_logprobs }: z.output<typeof logprobsSchema>): readonly AnswerToken[] {
  if (token_ids === undefined) {
    throw new ExoError("peer_incompatible", "The node does not tell its tokens' ids; update exo-native there.");
  }
  return tokens.map((text, index) => ({
    id: token_ids[index] ?? -1,
    text,
    logprob: token_logprobs[index] ?? Number.NaN,
  }));
}

function numbersOf(timings: NonNullable<Chunk["timings"]> | null): AnswerNumbers | null {
  if (timings === null) return null;
  return {
    promptTokens: timings.prompt_n + timings.cache_n,
    cachedTokens: timings.cache_n,
    answerTokens: timings.predicted_n,
    prefillSeconds: timings.prompt_ms / 1000,
    tokensPerSecond: timings.predicted_per_second,
  };
}
