import type { ErrorResponse } from "../error-response.js";

/** Anthropic's names by status; SDKs and tools switch on them. */
const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
};

/** The body of an answer that failed, and the data of a stream's `error` event. */
export function anthropicError({ status, body }: ErrorResponse, requestId: string) {
  const otherwise = status < 500 ? "invalid_request_error" : "api_error";
  return {
    type: "error",
    error: { type: TYPES[status] ?? otherwise, message: body.error.message },
    request_id: requestId,
  };
}
