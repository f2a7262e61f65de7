import type { ErrorResponse } from "../error-response.js";

/** The body of an answer that failed, and the last line of a stream that did. */
export function ollamaError({ body }: ErrorResponse) {
  return { error: body.error.message };
}
