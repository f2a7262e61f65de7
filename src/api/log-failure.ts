import type { FastifyBaseLogger } from "fastify";
import { type ErrorCode, ExoError } from "../core/errors.js";
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

/** The code of what went wrong last, by the logger of its request. */
const CODES = new WeakMap<FastifyBaseLogger, string>();

/** `null`: nothing went wrong so far. */
export function failureOf(log: FastifyBaseLogger): string | null {
  return CODES.get(log) ?? null;
}

/** Faults of ours with their stack, refusals by code alone, and never the text of a request. */
export function logFailure(log: FastifyBaseLogger, thrown: unknown): void {
  if (thrown instanceof HttpError) {
    CODES.set(log, thrown.code);
    log.info({ code: thrown.code }, "request refused");
    return;
  }
  const error = ExoError.from(thrown);
  CODES.set(log, error.code);
  const fields = { code: error.code, param: error.param };
  if (EXPECTED.has(error.code)) log.info(fields, "request refused or cancelled");
  else if (error.code === "internal") log.error({ ...fields, stack: stackOf(thrown) }, "request failed");
  else log.warn({ ...fields, error: error.message }, "request failed");
}

function stackOf(thrown: unknown): string {
  const cause = thrown instanceof ExoError && thrown.cause !== undefined ? thrown.cause : thrown;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
