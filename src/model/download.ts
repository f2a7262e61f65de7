import { type FileHandle, mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { ExoError } from "../core/errors.js";
import { diskError } from "./disk-error.js";
import { checkDiskSpace } from "./disk-space.js";
import type { DownloadIo } from "./download-io.js";
import { type Answer, failureReason, interpretAnswer, isWebPage, shownUrl, webPage } from "./http-answer.js";
import type { HttpResponse } from "./http-response.js";
import { clearPartState, discardPart, type PartAtHand, partPath, readPartState, writePartState } from "./part-state.js";
import type { RateLimiter } from "./rate-limit.js";
import { responseBody } from "./response-body.js";
import { StallGuard } from "./stall-guard.js";

/** One file to fetch. */
export interface DownloadRequest {
  readonly url: string;
  /** Final path; `.part` and `.part.json` stand beside it until it is whole. */
  readonly destination: string;
  /** The right size, when known beforehand. */
  readonly bytes: number | null;
  readonly headers: Readonly<Record<string, string>>;
  /** As of `DownloadIo.fetch`. */
  readonly byOwner?: boolean;
  readonly limiter: RateLimiter;
  readonly signal: AbortSignal;
  /** A connection goes on at this byte of so many. */
  onStart(from: number, total: number | null): void;
  onBytes(count: number): void;
  /** A try failed; the next one starts after this pause. */
  onRetry(reason: string, pauseMilliseconds: number): void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "again"; readonly have: number; readonly reason: string; readonly pause: number | null };

/**
 * Fetches a file, going on where an earlier try, also one of another process, left off. Own code and not `ipull`: that
 * one neither proves with a validator that the rest belongs to the same version nor stops at an AbortSignal.
 * Throws `download_failed`, `disk_full` or `cancelled`; the bytes at hand stay for the next try.
 */
export async function download(request: DownloadRequest, io: DownloadIo): Promise<void> {
  await makeDirectory(dirname(request.destination));
  let most = 0;
  let setbacks = 0;
  for (;;) {
    const outcome = await attempt(request, io);
    if (outcome.kind === "done") return;
    // Only more bytes than ever before count as getting on, so a server that always breaks off ends the loop.
    setbacks = outcome.have > most ? 0 : setbacks + 1;
    most = Math.max(most, outcome.have);
    if (setbacks >= io.fruitlessTries) throw failed(request, `${outcome.reason}, and ${setbacks} tries did not help`);
    const pause = Math.min(outcome.pause ?? FIRST_PAUSE_MS * 2 ** Math.max(0, setbacks - 1), LONGEST_PAUSE_MS);
    request.onRetry(outcome.reason, pause);
    await io.sleep(pause, request.signal).catch(() => {
      throw cancelled(request);
    });
  }
}

export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (thrown) {
    throw diskError(thrown, path) ?? thrown;
  }
}

function failed({ url }: DownloadRequest, why: string): ExoError {
  return new ExoError("download_failed", `${shownUrl(url)} cannot be fetched: ${why}.`);
}

function cancelled({ url }: DownloadRequest): ExoError {
  return new ExoError("cancelled", `The download of ${shownUrl(url)} was cancelled.`);
}

/** One connection. */
async function attempt(request: DownloadRequest, io: DownloadIo): Promise<Outcome> {
  if (request.signal.aborted) throw cancelled(request);
  const part = await readPartState(request.destination, request.url);
  if (part !== null && part.have === part.total) return finish(request, part.have);
  const stall = new StallGuard(request.signal, io.stallMilliseconds);
  const at = { position: part?.have ?? 0 };
  try {
    const headers = requestHeaders(request, part);
    const { url, byOwner = false } = request;
    const response = await io.fetch(url, { method: "GET", headers, byOwner, signal: stall.signal });
    if (response.status === 200 && isWebPage(response.headers)) {
      await response.body?.cancel();
      throw webPage(request.url);
    }
    const answer = interpretAnswer(response, part);
    if (answer.kind === "body") return await receive(request, io, response, answer, at, stall);
    await response.body?.cancel();
    if (answer.kind === "complete") return await finish(request, at.position);
    if (answer.kind === "restart") await discardPart(request.destination);
    return { kind: "again", have: at.position, reason: answer.reason, pause: answer.afterMilliseconds };
  } catch (thrown) {
    if (request.signal.aborted) throw cancelled(request);
    if (thrown instanceof ExoError) throw thrown;
    const reason = stall.stalled ? "the server stopped sending" : failureReason(thrown);
    return { kind: "again", have: at.position, reason, pause: null };
  } finally {
    stall.end();
  }
}

function requestHeaders(request: DownloadRequest, part: PartAtHand | null): Record<string, string> {
  // Compressed on the way, the bytes could not be counted or continued.
  const headers = { ...request.headers, "Accept-Encoding": "identity" };
  return part === null ? headers : { ...headers, Range: `bytes=${part.have}-`, "If-Range": part.validator };
}

async function receive(
  request: DownloadRequest,
  io: DownloadIo,
  response: HttpResponse,
  answer: Answer & { kind: "body" },
  at: { position: number },
  stall: StallGuard,
): Promise<Outcome> {
  const { from, total, validator } = answer;
  at.position = from;
  await checkSize(request, io, from, total);
  const file = await openPart(request.destination, from);
  try {
    if (validator !== null) await writePartState(request.destination, { url: request.url, validator, total });
    request.onStart(from, total);
    for await (const chunk of responseBody(response, stall.signal)) {
      stall.alive();
      at.position += await writeAll(io, file, chunk, at.position, request.destination);
      if (at.position > (total ?? Number.POSITIVE_INFINITY)) throw failed(request, "the server sent more than it said");
      request.onBytes(chunk.length);
      await request.limiter.take(chunk.length, request.signal, () => stall.alive());
    }
    if (total !== null && at.position < total) throw new Error("the connection closed early");
    await file.sync();
  } finally {
    await file.close();
  }
  return finish(request, at.position);
}

async function checkSize(request: DownloadRequest, io: DownloadIo, from: number, total: number | null): Promise<void> {
  if (total === null) return;
  if (request.bytes !== null && total !== request.bytes) {
    await discardPart(request.destination);
    throw failed(request, `the server has ${total} bytes where ${request.bytes} are expected`);
  }
  await checkDiskSpace(shownUrl(request.url), total - from, dirname(request.destination), io);
}

/** From byte 0 an earlier part is of no use, and its state must be gone before its bytes are. */
async function openPart(destination: string, from: number): Promise<FileHandle> {
  try {
    if (from === 0) await clearPartState(destination);
    return await open(partPath(destination), from === 0 ? "w" : "r+");
  } catch (thrown) {
    throw diskError(thrown, destination) ?? thrown;
  }
}

async function writeAll(
  io: DownloadIo,
  file: FileHandle,
  chunk: Uint8Array,
  position: number,
  path: string,
): Promise<number> {
  try {
    await io.write(file, chunk, position);
    return chunk.length;
  } catch (thrown) {
    throw diskError(thrown, path) ?? thrown;
  }
}

async function finish(request: DownloadRequest, have: number): Promise<Outcome> {
  if (request.bytes !== null && have !== request.bytes) {
    await discardPart(request.destination);
    throw failed(request, `${have} bytes came where ${request.bytes} are expected`);
  }
  await rename(partPath(request.destination), request.destination);
  await clearPartState(request.destination);
  return { kind: "done" };
}
