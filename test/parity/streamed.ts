import { z } from "zod";
import type { ParityPath } from "./outcome.js";

const callDelta = z.object({
  index: z.int(),
  id: z.string().optional(),
  function: z.object({ name: z.string().optional(), arguments: z.string().optional() }),
});

const logprobs = z.record(z.string(), z.unknown()).nullish();

const chunk = z.object({
  choices: z.array(
    z.object({
      index: z.int(),
      text: z.string().optional(),
      delta: z
        .object({
          content: z.string().nullish(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(callDelta).optional(),
        })
        .optional(),
      logprobs,
      finish_reason: z.string().nullable(),
    }),
  ),
  usage: z.unknown().optional(),
});
type Chunk = z.infer<typeof chunk>;
type ChunkChoice = Chunk["choices"][number];

const responseEvent = z.object({ type: z.string(), response: z.unknown().optional() });

/** The documents of a stream's events; its comments, and the mark at its end, left out. */
export function eventDocuments(stream: string): readonly unknown[] {
  return stream
    .split("\n\n")
    .flatMap((block) => block.split("\n"))
    .filter((line) => line.startsWith("data: {"))
    .map((line) => JSON.parse(line.slice("data: ".length)));
}

/** What an answer that is not streamed would look like, put together by nothing but what the API promises. */
export function wholeOf(path: ParityPath, stream: string): unknown {
  const documents = eventDocuments(stream);
  if (path === "/v1/responses") {
    const events = documents.map((one) => responseEvent.parse(one));
    return events.find(({ type }) => type === "response.completed" || type === "response.incomplete")?.response;
  }
  const chunks = documents.map((one) => chunk.parse(one));
  const indexes = [...new Set(chunks.flatMap(({ choices }) => choices.map(({ index }) => index)))];
  const usage = chunks.findLast((one) => one.usage !== undefined && one.usage !== null)?.usage;
  return {
    usage,
    choices: indexes.map((index) =>
      wholeChoice(
        index,
        chunks.flatMap(({ choices }) => choices.filter((one) => one.index === index)),
      ),
    ),
  };
}

function wholeChoice(index: number, pieces: readonly ChunkChoice[]) {
  const joined = (of: (piece: ChunkChoice) => string | null | undefined): string =>
    pieces.map((piece) => of(piece) ?? "").join("");
  return {
    index,
    text: joined(({ text }) => text),
    message: {
      content: joined(({ delta }) => delta?.content),
      reasoning_content: joined(({ delta }) => delta?.reasoning_content),
      tool_calls: wholeCalls(pieces),
    },
    finish_reason: pieces.findLast(({ finish_reason: reason }) => reason !== null)?.finish_reason,
    logprobs: wholeLogprobs(pieces),
  };
}

function wholeCalls(pieces: readonly ChunkChoice[]) {
  const deltas = pieces.flatMap(({ delta }) => delta?.tool_calls ?? []);
  return [...new Set(deltas.map(({ index }) => index))].map((index) => {
    const mine = deltas.filter((one) => one.index === index);
    return {
      id: mine.map(({ id }) => id ?? "").join(""),
      function: {
        name: mine.map((one) => one.function.name ?? "").join(""),
        arguments: mine.map((one) => one.function.arguments ?? "").join(""),
      },
    };
  });
}

/** Columns, or a list: whichever arrays there are, each joined. */
function wholeLogprobs(pieces: readonly ChunkChoice[]) {
  const told = pieces.flatMap((piece) => (piece.logprobs ? [piece.logprobs] : []));
  const names = [...new Set(told.flatMap((one) => Object.keys(one)))];
  if (told.length === 0) return null;
  return Object.fromEntries(names.map((name) => [name, told.flatMap((one) => one[name] ?? [])]));
}
