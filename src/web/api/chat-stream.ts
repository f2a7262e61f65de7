import { type ChatEvent, chatEvents } from "./chat-events.js";
import { eventData } from "./event-stream.js";
import { jsonBody, type Server } from "./server.js";
import { interrupted } from "./server-error.js";

/**
 * The events of one streamed chat answer.
 *
 * @param body of `POST /v1/chat/completions`, without the fields that ask for a stream
 */
export async function* chatStream(
  server: Server,
  body: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): AsyncGenerator<ChatEvent, void> {
  const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
  const response = await server.fetch("/v1/chat/completions", jsonBody(streamed, signal));
  if (response.body === null) throw interrupted();
  yield { kind: "accepted", requestId: response.headers.get("x-request-id") ?? "" };
  for await (const data of unbroken(response.body, signal)) {
    if (data === "[DONE]") return;
    yield* chatEvents(JSON.parse(data));
  }
  throw interrupted();
}

/** A connection that breaks is told in our words, not in the browser's. */
async function* unbroken(body: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<string, void> {
  try {
    yield* eventData(body);
  } catch (thrown) {
    throw signal.aborted ? thrown : interrupted();
  }
}
