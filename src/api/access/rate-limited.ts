import { HttpError } from "../http-error.js";

/** A refusal that says when to come again. @param why without a full stop */
export function rateLimited(why: string, waitMilliseconds: number): HttpError {
  const seconds = Math.max(1, Math.ceil(waitMilliseconds / 1000));
  return new HttpError("rate_limited", `${why}; try again in ${seconds} s.`, {
    "retry-after": String(seconds),
    "x-should-retry": "true",
  });
}
