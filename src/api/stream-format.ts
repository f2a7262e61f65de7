import type { ServerResponse } from "node:http";
import type { ErrorResponse } from "./error-response.js";
import { NdjsonStream } from "./ndjson.js";
import { type SseOptions, SseStream } from "./sse.js";

/** How an API sends the chunks of an answer. */
export interface StreamFormat<Chunk> {
  /** Sends status 200 and the headers. */
  open(response: ServerResponse, options: SseOptions): AnswerStream<Chunk>;
}

export interface AnswerStream<Chunk> {
  send(chunk: Chunk): Promise<void>;
  /** Says to a client that may have had part of the answer why there will be no more of it. `end` follows. */
  fail(error: ErrorResponse, requestId: string): Promise<void>;
  end(): Promise<void>;
}

/** An event of an API that names its events. */
export interface NamedEvent {
  readonly event: string;
  readonly data: unknown;
}

/** OpenAI's chat and completions: data alone, and a mark at the end. */
export const DATA_EVENTS: StreamFormat<unknown> = {
  open(response, options) {
    const stream = new SseStream(response, options);
    return {
      send: (chunk) => stream.send(chunk),
      fail: ({ body }) => stream.send(body),
      end: () => stream.done(),
    };
  },
};

/** Events with names, of which the last says itself that it is the last. */
export function namedEvents(
  failure: (error: ErrorResponse, requestId: string) => NamedEvent,
): StreamFormat<NamedEvent> {
  return {
    open(response, options) {
      const stream = new SseStream(response, options);
      const send = ({ event, data }: NamedEvent): Promise<void> => stream.send(data, event);
      return { send, fail: (error, requestId) => send(failure(error, requestId)), end: async () => stream.end() };
    },
  };
}

/** A JSON document per line. */
export function jsonLines(failure: (error: ErrorResponse) => unknown): StreamFormat<unknown> {
  return {
    open(response, options) {
      const stream = new NdjsonStream(response, options);
      const send = (line: unknown): Promise<void> => stream.send(line);
      return { send, fail: (error) => send(failure(error)), end: async () => stream.end() };
    },
  };
}
