import { type ErrorCode, ExoError } from "../core/errors.js";
import { HTTP_ERRORS, HttpError } from "./http-error.js";

/** OpenAI's names for kinds of failure; its clients and many proxies switch on them. */
export type ErrorType = "invalid_request_error" | "authentication_error" | "rate_limit_error" | "server_error";

export interface ErrorMeaning {
  readonly status: number;
  readonly type: ErrorType;
  /** Sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/** What each code means over HTTP. `docs/errors.md` holds the same table; a test compares the two. */
export const ERROR_MEANINGS: Readonly<Record<ErrorCode, ErrorMeaning>> = {
  invalid_argument: { status: 400, type: "invalid_request_error" },
  invalid_model: { status: 422, type: "invalid_request_error" },
  unsupported: { status: 400, type: "invalid_request_error" },
  context_exceeded: { status: 400, type: "invalid_request_error" },
  model_not_found: { status: 404, type: "invalid_request_error" },
  not_ready: { status: 503, type: "server_error", retryAfterSeconds: 2 },
  overloaded: { status: 429, type: "rate_limit_error", retryAfterSeconds: 1 },
  out_of_memory: { status: 507, type: "server_error" },
  cancelled: { status: 499, type: "invalid_request_error" },
  deadline_exceeded: { status: 504, type: "server_error" },
  peer_unreachable: { status: 502, type: "server_error" },
  peer_incompatible: { status: 502, type: "server_error" },
  stale_epoch: { status: 503, type: "server_error", retryAfterSeconds: 1 },
  bad_frame: { status: 502, type: "server_error" },
  stage_lost: { status: 503, type: "server_error", retryAfterSeconds: 2 },
  download_failed: { status: 502, type: "server_error" },
  disk_full: { status: 507, type: "server_error" },
  crash_loop: { status: 503, type: "server_error" },
  port_in_use: { status: 500, type: "server_error" },
  unauthorized: { status: 401, type: "authentication_error" },
  internal: { status: 500, type: "server_error" },
};

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: ErrorType;
    readonly param: string | null;
    readonly code: string;
  };
}

export interface ErrorResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;
}

/** The HTTP answer to anything thrown. A fault that is not ours to explain is named by the request id alone. */
export function toErrorResponse(thrown: unknown, requestId: string): ErrorResponse {
  if (thrown instanceof HttpError) return fromHttpError(thrown);
  const error = thrown instanceof ExoError ? thrown : explained(thrown, requestId);
  const meaning = ERROR_MEANINGS[error.code];
  const retryAfter = error.retryAfterSeconds ?? meaning.retryAfterSeconds;
  return {
    status: meaning.status,
    headers: {
      // Kept by OpenAI's own clients: without it they retry every 5xx, also the hopeless ones.
      "x-should-retry": String(error.retryable),
      ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
      ...(error.code === "unauthorized" ? { "www-authenticate": "Bearer" } : {}),
    },
    body: { error: { message: error.message, type: meaning.type, param: error.param, code: error.code } },
  };
}

function fromHttpError(error: HttpError): ErrorResponse {
  const { status } = HTTP_ERRORS[error.code];
  const type = status === 429 ? "rate_limit_error" : "invalid_request_error";
  return {
    status,
    headers: { "x-should-retry": "false", ...error.headers },
    body: { error: { message: error.message, type, param: null, code: error.code } },
  };
}

/** Native errors carry one of our codes and a sentence; of anything else the message may hold what is nobody's business. */
function explained(thrown: unknown, requestId: string): ExoError {
  const error = ExoError.from(thrown);
  if (error.code !== "internal") return error;
  const message = `The node failed to answer because of a fault of its own; its log says more at request ${requestId}.`;
  return new ExoError("internal", message, { cause: thrown });
}
