import { setTimeout as delay } from "node:timers/promises";
import type { FastifyReply } from "fastify";
import { toErrorResponse } from "./error-response.js";
import { logFailure } from "./log-failure.js";
import type { SseOptions } from "./sse.js";
import type { AnswerStream, StreamFormat } from "./stream-format.js";

/**
 * Sends chunks as an API's stream. A failure before the first chunk is thrown, so that it becomes a plain HTTP error;
 * after it, it is told in the stream. Headers go out no later than the first heartbeat is due, whatever comes.
 */
export async function streamAnswer<Chunk>(
  reply: FastifyReply,
  chunks: AsyncGenerator<Chunk, void>,
  format: StreamFormat<Chunk>,
  options: SseOptions,
): Promise<void> {
  const first = chunks.next();
  await settledWithin(first, options.heartbeatMilliseconds);
  takeOver(reply);
  const stream = format.open(reply.raw, options);
  try {
    await sendAll(stream, first, chunks);
  } catch (thrown) {
    await sendFailure(stream, reply, thrown);
  } finally {
    await chunks.return();
  }
}

/** From here on the response is written piece by piece, with the headers that it has so far. */
export function takeOver(reply: FastifyReply): void {
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
}

async function sendAll<Chunk>(
  stream: AnswerStream<Chunk>,
  first: Promise<IteratorResult<Chunk, void>>,
  chunks: AsyncGenerator<Chunk, void>,
): Promise<void> {
  for (let step = await first; step.done !== true; step = await chunks.next()) await stream.send(step.value);
  await stream.end();
}

async function sendFailure<Chunk>(stream: AnswerStream<Chunk>, reply: FastifyReply, thrown: unknown): Promise<void> {
  logFailure(reply.log, thrown);
  if (reply.raw.destroyed) return;
  try {
    await stream.fail(toErrorResponse(thrown, reply.request.id), reply.request.id);
    await stream.end();
  } catch {
    // The client went away meanwhile: there is nobody left to tell.
  }
}

/** Returns when the promise has settled or the time is over; rethrows only a failure that came in time. */
async function settledWithin(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  const timer = new AbortController();
  const timeout = delay(milliseconds, undefined, { signal: timer.signal, ref: false }).catch(() => {});
  try {
    await Promise.race([promise, timeout]);
  } finally {
    timer.abort();
  }
}
