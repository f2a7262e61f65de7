import { ExoError } from "../core/errors.js";
import type { HttpResponse } from "./http-response.js";
import type { PartAtHand } from "./part-state.js";

/** What a server's answer to a (range) request means for the download. */
export type Answer =
  /** The body goes on at this byte; 0 means from the beginning, whatever was there before. */
  | { readonly kind: "body"; readonly from: number; readonly total: number | null; readonly validator: string | null }
  /** The bytes at hand are the whole file. */
  | { readonly kind: "complete" }
  /** The bytes at hand are of no use; ask again from the beginning. */
  | { readonly kind: "restart"; readonly reason: string; readonly afterMilliseconds: null }
  | { readonly kind: "retry"; readonly reason: string; readonly afterMilliseconds: number | null };

const RESTART: Answer = { kind: "restart", reason: "the file changed on the server", afterMilliseconds: null };

/** Statuses after which the same request may succeed later. */
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);

const CONTENT_RANGE = /^bytes (?:(?<first>\d+)-(?<last>\d+)|\*)\/(?<size>\d+|\*)$/i;

interface ContentRange {
  readonly first: number | null;
  readonly last: number | null;
  readonly size: number | null;
}

export function contentRange(headers: Headers): ContentRange {
  const groups = CONTENT_RANGE.exec(headers.get("content-range") ?? "")?.groups;
  const number = (text: string | undefined): number | null => (/^\d+$/.test(text ?? "") ? Number(text) : null);
  return { first: number(groups?.first), last: number(groups?.last), size: number(groups?.size) };
}

/** What a later range request can name the version by; a weak ETag does not say that the bytes are the same. */
export function validatorOf(headers: Headers): string | null {
  const etag = headers.get("etag");
  return etag?.startsWith('"') ? etag : headers.get("last-modified");
}

function contentLength(headers: Headers): number | null {
  const text = headers.get("content-length") ?? "";
  return /^\d{1,15}$/.test(text) && headers.get("content-encoding") === null ? Number(text) : null;
}

export function isTransient(status: number): boolean {
  return TRANSIENT.has(status);
}

/** What the server asks to wait. */
export function retryAfter(headers: Headers): number | null {
  const text = headers.get("retry-after") ?? "";
  return /^\d{1,5}$/.test(text) ? Number(text) * 1000 : null;
}

/** `asked` is what the request went on from. Statuses that no retry can mend throw `download_failed`. */
export function interpretAnswer(response: HttpResponse, asked: PartAtHand | null): Answer {
  const { status, headers } = response;
  if (status === 200) {
    return { kind: "body", from: 0, total: contentLength(headers), validator: validatorOf(headers) };
  }
  if (status === 206 && asked !== null) {
    const { first, size } = contentRange(headers);
    const validator = validatorOf(headers);
    const isSameVersion = (validator === null || validator === asked.validator) && isSameSize(size, asked);
    if (first !== asked.have || !isSameVersion) return RESTART;
    return { kind: "body", from: first, total: size, validator: asked.validator };
  }
  if (status === 416 && asked !== null) {
    const { size } = contentRange(headers);
    return size === asked.have && isSameSize(size, asked) ? { kind: "complete" } : RESTART;
  }
  if (TRANSIENT.has(status)) {
    return { kind: "retry", reason: `the server answered ${status}`, afterMilliseconds: retryAfter(headers) };
  }
  throw refusedBy(response);
}

/** What a status means that no other try mends. */
export function refusedBy(response: HttpResponse): ExoError {
  return new ExoError(
    "download_failed",
    `${shownUrl(response.url)} cannot be fetched: the server answered ${statusText(response)}.`,
  );
}

/** What a log-in page of a network, or a mirror that is none, says of itself. */
export function isWebPage(headers: Headers): boolean {
  return /\bhtml\b/i.test(headers.get("content-type") ?? "");
}

export function webPage(url: string): ExoError {
  return new ExoError(
    "download_failed",
    `${shownUrl(url)} cannot be fetched: a web page came in place of the file. Does the network ask for a log-in, or is the address (HF_ENDPOINT for "hf:") wrong?`,
  );
}

/** Without the query, which may hold a signature. */
export function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

function isSameSize(size: number | null, { total }: PartAtHand): boolean {
  return size === null || total === null || size === total;
}

function statusText({ status, statusText: text }: HttpResponse): string {
  if (status === 401 || status === 403) return `${status}, so it is private or asks for a log-in`;
  return status === 404 || status === 410 ? `${status}, so there is no such file` : `${status} ${text}`.trim();
}

/** Why no answer came, or why it broke off. */
export function failureReason(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const code = cause instanceof Error ? Reflect.get(cause, "code") : null;
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host's name is not known here (no network?)";
    case "ECONNREFUSED":
      return "the host refused the connection";
    case "ECONNRESET":
    case "UND_ERR_SOCKET":
      return "the connection broke";
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}
