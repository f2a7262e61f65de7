import { ExoError } from "../../core/errors.js";
import type { DownloadIo } from "../download-io.js";
import {
  contentRange,
  failureReason,
  isTransient,
  isWebPage,
  retryAfter,
  shownUrl,
  validatorOf,
  webPage,
} from "../http-answer.js";
import type { HttpResponse } from "../http-response.js";
import type { PinnedFile } from "../pinned-source.js";
import type { RateLimiter } from "../rate-limit.js";
import { responseBody } from "../response-body.js";
import { StallGuard } from "../stall-guard.js";
import type { FileIdentity } from "./range-map.js";

/** Where a file's ranges are asked for over HTTP. */
export interface HttpOrigin {
  readonly file: PinnedFile;
  /** Sent to the file's own host only: fetch drops them where a redirect leads to another. */
  readonly headers: Readonly<Record<string, string>>;
  /** What a status that no other try mends means. */
  refusal(response: HttpResponse): ExoError;
}

/** An answer that goes on: `body` gives the bytes `[begin, end)` of that file. */
export interface HttpRange {
  readonly identity: FileIdentity;
  readonly begin: number;
  readonly end: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** A passing trouble: the same request may succeed later. */
export class PassingTrouble extends Error {
  readonly pauseMilliseconds: number | null;

  constructor(reason: string, pauseMilliseconds: number | null = null, options?: ErrorOptions) {
    super(reason, options);
    this.pauseMilliseconds = pauseMilliseconds;
  }
}

/** The server sends whole files only. */
export class RangesIgnored extends Error {}

/** The server has another file now than the one that was begun. */
export class SourceChanged extends Error {}

/** Asks for `[begin, end)`; the answer may be shorter, and not only where the file ends. */
export async function openHttpRange(
  origin: HttpOrigin,
  begin: number,
  end: number,
  { io, limiter }: { readonly io: DownloadIo; readonly limiter: RateLimiter },
  signal: AbortSignal,
): Promise<HttpRange> {
  const stall = new StallGuard(signal, io.stallMilliseconds);
  try {
    const headers = { ...origin.headers, Range: `bytes=${begin}-${end - 1}`, "Accept-Encoding": "identity" };
    const response = await io.fetch(origin.file.url, { method: "GET", headers, signal: stall.signal });
    const range = await interpret(response, origin, begin, end);
    return { ...range, body: bodyOf(response, range.end - begin, limiter, stall, signal) };
  } catch (thrown) {
    stall.end();
    throw troubleOf(thrown, stall, signal, origin.file.url);
  }
}

async function interpret(
  response: HttpResponse,
  origin: HttpOrigin,
  begin: number,
  end: number,
): Promise<Omit<HttpRange, "body">> {
  const { file } = origin;
  const range = response.status === 206 ? contentRange(response.headers) : null;
  const isOfIt = range?.first === begin && range.last !== null && range.last >= begin && range.last < end;
  if (isOfIt && range.last !== null && range.size !== null) {
    if (file.bytes !== null && file.bytes !== range.size) throw wrongSize(file, range.size);
    return { identity: identityOf(response, file, range.size), begin, end: range.last + 1 };
  }
  await response.body?.cancel();
  const { status } = response;
  if (isTransient(status)) throw new PassingTrouble(`the server answered ${status}`, retryAfter(response.headers));
  if (status === 416) throw new SourceChanged();
  if (status === 206) throw new PassingTrouble("the server sent another range than was asked for");
  if (status !== 200) throw origin.refusal(response);
  if (isWebPage(response.headers)) throw webPage(file.url);
  throw new RangesIgnored();
}

function identityOf(response: HttpResponse, { sha256 }: PinnedFile, bytes: number): FileIdentity {
  // Of a file whose hash is known, one mirror may call the version otherwise than the next.
  if (sha256 !== null) return { bytes, version: `sha256:${sha256}` };
  const validator = validatorOf(response.headers);
  return { bytes, version: validator === null ? null : `etag:${validator}` };
}

async function* bodyOf(
  response: HttpResponse,
  bytes: number,
  limiter: RateLimiter,
  stall: StallGuard,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = bytes;
  try {
    for await (const chunk of responseBody(response, stall.signal)) {
      stall.alive();
      left -= chunk.length;
      if (left < 0) throw new PassingTrouble("the server sent more than it said");
      await limiter.take(chunk.length, signal, () => stall.alive());
      yield chunk;
    }
    if (left > 0) throw new PassingTrouble("the connection closed early");
  } catch (thrown) {
    throw troubleOf(thrown, stall, signal, response.url);
  } finally {
    stall.end();
  }
}

function troubleOf(thrown: unknown, stall: StallGuard, signal: AbortSignal, url: string): unknown {
  if (signal.aborted) return new ExoError("cancelled", `The download of ${shownUrl(url)} was cancelled.`);
  const isOwn = thrown instanceof ExoError || thrown instanceof PassingTrouble;
  if (isOwn || thrown instanceof RangesIgnored || thrown instanceof SourceChanged) return thrown;
  const reason = stall.stalled ? "the server stopped sending" : failureReason(thrown);
  return new PassingTrouble(reason, null, { cause: thrown });
}

function wrongSize({ url, bytes }: PinnedFile, size: number): ExoError {
  return new ExoError(
    "download_failed",
    `${shownUrl(url)} cannot be fetched: the server has ${size} bytes where ${bytes} are expected.`,
  );
}
