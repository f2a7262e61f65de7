/** Failures of the HTTP request itself, before it means anything to the rest of the code. Listed in `docs/errors.md`. */
export const HTTP_ERRORS = {
  malformed_json: { status: 400 },
  route_not_found: { status: 404 },
  trace_not_found: { status: 404 },
  method_not_allowed: { status: 405 },
  request_timeout: { status: 408 },
  body_too_large: { status: 413 },
  unsupported_media_type: { status: 415 },
  host_not_allowed: { status: 421 },
  origin_not_allowed: { status: 403 },
  scope_missing: { status: 403 },
  rate_limited: { status: 429 },
  headers_too_large: { status: 431 },
  malformed_request: { status: 400 },
} as const;

export type HttpErrorCode = keyof typeof HTTP_ERRORS;

export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly code: HttpErrorCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: HttpErrorCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}
