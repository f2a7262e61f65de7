import type { FastifyBaseLogger } from "fastify";
import { type ErrorCode, ExoError } from "../core/errors.js";
import { faultPlace } from "../core/fault-place.js";
import { HttpError } from "./http-error.js";

/** The caller's doing, or told again and again while it lasts: nothing that whoever runs the node need look at. */
const EXPECTED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "invalid_argument",
  "unsupported",
  "unauthorized",
  "context_exceeded",
  "model_not_found",
  "cancelled",
  "not_ready",
  "overloaded",
]);

/** Whom a node keeps out may knock as often as he likes: lines about it would fill the disk. The metrics count them. */
const QUIET: ReadonlySet<string> = new Set([
  "unauthorized",
  "overloaded",
  "rate_limited",
  "scope_missing",
  "host_not_allowed",
  "origin_not_allowed",
]);

/** The code of what went wrong last, by the logger of its request. */
const CODES = new WeakMap<FastifyBaseLogger, string>();

/** `null`: nothing went wrong so far. */
export function failureOf(log: FastifyBaseLogger): string | null {
  return CODES.get(log) ?? null;
}

/**
 * Refusals by code alone, faults of ours with the places in the code: what a message or the name of a field says may be
 * somebody's text, and that is never logged.
 *
 * @param onlyRead the request was to read something, as pages, probes and scrapers do again and again
 */
export function logFailure(log: FastifyBaseLogger, thrown: unknown, onlyRead = false): void {
  const level = (code: string) => (onlyRead ? "debug" : levelOf(code));
  if (thrown instanceof HttpError) {
    CODES.set(log, thrown.code);
    log[level(thrown.code)]({ code: thrown.code }, "request refused");
    return;
  }
  const error = ExoError.from(thrown);
  CODES.set(log, error.code);
  const { code } = error;
  if (EXPECTED.has(code)) log[level(code)]({ code }, "request refused or cancelled");
  else if (code === "internal") log.error({ code, ...faultPlace(thrown) }, "request failed");
  else log.warn({ code }, "request failed");
}

/** Of what is written of a request that ended so. */
export function levelOf(code: string | null): "info" | "debug" {
  return code !== null && QUIET.has(code) ? "debug" : "info";
}
