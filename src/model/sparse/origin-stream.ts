import type { DownloadIo } from "../download-io.js";
import type { RateLimiter } from "../rate-limit.js";
import type { ByteRange } from "./blocks.js";
import { type HttpOrigin, type HttpRange, openHttpRange, SourceChanged } from "./http-ranges.js";
import type { Patience } from "./patience.js";
import type { FileIdentity } from "./range-map.js";

export interface OriginStream {
  readonly identity: FileIdentity;
  /** As asked for, or where the file ends. */
  readonly range: ByteRange;
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface Asking {
  readonly tools: { readonly io: DownloadIo; readonly limiter: RateLimiter };
  readonly patience: Patience;
  readonly signal: AbortSignal;
}

/**
 * A range of a file, over as many connections as it takes: one that breaks, or an answer that is shorter than what was
 * asked for, is gone on from at the byte where it ended.
 */
export async function openOriginStream(
  origin: HttpOrigin,
  { begin, end }: ByteRange,
  asking: Asking,
): Promise<OriginStream> {
  const first = await answerFrom(origin, begin, end, asking);
  const range = { begin, end: Math.min(end, first.identity.bytes) };
  return { identity: first.identity, range, bytes: goOn(origin, first, range.end, asking) };
}

async function answerFrom(origin: HttpOrigin, begin: number, end: number, asking: Asking): Promise<HttpRange> {
  const { tools, patience, signal } = asking;
  for (;;) {
    try {
      return await openHttpRange(origin, begin, end, tools, signal);
    } catch (thrown) {
      await patience.after(thrown, signal);
    }
  }
}

async function* goOn(
  origin: HttpOrigin,
  first: HttpRange,
  end: number,
  asking: Asking,
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = first.begin;
  for (let answer = first; ; answer = await answerFrom(origin, at, end, asking)) {
    if (!isSame(answer.identity, first.identity)) throw new SourceChanged();
    try {
      for await (const chunk of answer.body) {
        at += chunk.length;
        asking.patience.progress();
        yield chunk;
      }
    } catch (thrown) {
      if (at < end) await asking.patience.after(thrown, asking.signal);
    }
    if (at >= end) return;
  }
}

function isSame(one: FileIdentity, other: FileIdentity): boolean {
  return one.bytes === other.bytes && one.version === other.version;
}
