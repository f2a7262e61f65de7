import { z } from "zod";
import { ExoError, isErrorCode } from "../../core/errors.js";

const errorBody = z.object({
  error: z.object({ message: z.string(), code: z.unknown().optional(), param: z.unknown().optional() }),
});

/** The failure that an answer's body (or an event of a stream) tells of, or `null` when it tells of none. */
export function failureIn(body: unknown): ExoError | null {
  const result = errorBody.safeParse(body);
  if (!result.success) return null;
  const { message, code, param } = result.data.error;
  return new ExoError(isErrorCode(code) ? code : "internal", message, typeof param === "string" ? { param } : {});
}

/** The failure of a response that is not 2xx. */
export function failureOf(status: number, text: string, url: URL): ExoError {
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Not JSON, so not one of our nodes: the sentence below says what is known.
  }
  return (
    failureIn(body) ??
    new ExoError("internal", `${url.origin} answered ${status} to ${url.pathname}; is it an exo-native node?`)
  );
}
