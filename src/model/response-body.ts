import type { HttpResponse } from "./http-response.js";

/**
 * The bytes of an answer, piece by piece, until the signal aborts. Not the stream's own iteration: a fetch of Node 20 that
 * is aborted between the last byte and the end of its stream neither ends nor fails it, and whoever reads waits for ever.
 */
export async function* responseBody(
  response: HttpResponse,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
  });
  // Nobody may be waiting for it.
  aborted.catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), aborted]);
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    // It may never come to an end either, for the same reason.
    reader.cancel().catch(() => {});
  }
}
