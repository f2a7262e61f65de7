import type { LinkRecord } from "../../cluster/link-record.js";
import { ascending, quantile } from "../../core/statistics.js";
import type { EchoStream } from "../../transport/echo-client.js";

/** Until both ends have run the code of a message, and the connection is open. */
const WARM_UPS = 8;
const SMALL_BYTES = 64;
const SMALL_MESSAGES = 24;
const LARGE_MESSAGES = 6;
const LEAST_LARGE_BYTES = 64 * 1024;
const MOST_LARGE_BYTES = 256 * 1024;
/** Rows of a large message: a chunk of a prompt. */
const LARGE_ROWS = 32;
/** A link is measured no longer than this if it is slow; the first messages of each kind are sent in any case. */
const LONGEST_SECONDS = 2;
/** What no link between machines passes, and what loopback seems to. */
const MOST_BYTES_PER_SECOND = 1e11;

export type MeasuredLink = Omit<LinkRecord, "to">;

/**
 * Times messages as small as an answer and as large as activations. The receiver answers each with a few bytes, so a large
 * one takes as much longer than a small one as its bytes take one way.
 *
 * @param rowBytes of one row of activations
 */
export async function measureLink(stream: Pick<EchoStream, "exchange">, rowBytes: number): Promise<MeasuredLink> {
  const large = Math.min(MOST_LARGE_BYTES, Math.max(LEAST_LARGE_BYTES, LARGE_ROWS * rowBytes));
  await exchanges(stream, SMALL_BYTES, WARM_UPS);
  const small = await exchanges(stream, SMALL_BYTES, SMALL_MESSAGES);
  // The first one opens the connection's window.
  const [, ...more] = await exchanges(stream, large, 1 + LARGE_MESSAGES);
  const there = quantile(ascending(more), 0.25) - quantile(ascending(small), 0.25);
  return {
    seconds: quantile(ascending(small), 0.5) / 2,
    bytesPerSecond: there <= 0 ? MOST_BYTES_PER_SECOND : Math.min(MOST_BYTES_PER_SECOND, large / there),
  };
}

/** At least two. */
async function exchanges(
  stream: Pick<EchoStream, "exchange">,
  bytes: number,
  count: number,
): Promise<readonly number[]> {
  const seconds: number[] = [];
  let total = 0;
  while (seconds.length < count && (seconds.length < 2 || total < LONGEST_SECONDS)) {
    const one = await stream.exchange(bytes);
    seconds.push(one);
    total += one;
  }
  return seconds;
}
