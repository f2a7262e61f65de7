import { setTimeout as delay } from "node:timers/promises";
import type { FastifyReply } from "fastify";
import { toErrorResponse } from "./error-response.js";
import { logFailure } from "./log-failure.js";
import { type SseOptions, SseStream } from "./sse.js";

/**
 * Sends chunks as server-sent events. A failure before the first chunk is thrown, so that it becomes a plain HTTP
 * error; after it, it is an error event. Headers go out no later than the first heartbeat is due, whatever comes.
 */
export async function streamAnswer(
  reply: FastifyReply,
  chunks: AsyncGenerator<unknown, void>,
  options: SseOptions,
): Promise<void> {
  const first = chunks.next();
  await settledWithin(first, options.heartbeatMilliseconds);
  const stream = takeOver(reply, options);
  try {
    await sendAll(stream, first, chunks);
  } catch (thrown) {
    await sendFailure(stream, reply, thrown);
  } finally {
    await chunks.return();
  }
}

function takeOver(reply: FastifyReply, options: SseOptions): SseStream {
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  return new SseStream(reply.raw, options);
}

async function sendAll(
  stream: SseStream,
  first: Promise<IteratorResult<unknown, void>>,
  chunks: AsyncGenerator<unknown, void>,
): Promise<void> {
  for (let step = await first; step.done !== true; step = await chunks.next()) await stream.send(step.value);
  await stream.done();
}

async function sendFailure(stream: SseStream, reply: FastifyReply, thrown: unknown): Promise<void> {
  logFailure(reply.log, thrown);
  if (reply.raw.destroyed) return;
  try {
    await stream.send(toErrorResponse(thrown, reply.request.id).body);
    await stream.done();
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
