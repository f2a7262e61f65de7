/**
 * Every failure that a user or a peer may see, by code. `docs/errors.md` lists the same codes; a test holds the two
 * together. `api/` and `transport/` each hold one table that gives a code its HTTP status or gRPC status.
 */
export const ERROR_CODES = {
  invalid_argument: "The caller sent something that cannot be meant: wrong type, wrong range, unknown name.",
  invalid_model: "The model file is not a GGUF, is truncated, damaged, or of an architecture that cannot be run.",
  unsupported: "Well formed, but not supported by this model or this build.",
  context_exceeded: "The prompt does not fit the context.",
  model_not_found: "No such model is loaded or known.",
  not_ready: "The ring is still loading, or is being rebuilt.",
  overloaded: "The queue is full; try again later.",
  out_of_memory: "A device has not enough free memory for what it was asked to hold.",
  cancelled: "The caller went away or cancelled.",
  deadline_exceeded: "A peer or a request took longer than its deadline.",
  peer_unreachable: "A peer did not answer at its address.",
  peer_incompatible: "A peer is built against another protocol or llama.cpp version.",
  stale_epoch: "A frame belongs to a ring that has been replaced.",
  bad_frame: "A frame on a hop is short, oversized, or inconsistent.",
  stage_lost: "A stage of the ring failed or its node went away.",
  download_failed: "A model could not be fetched, or what came is not what was promised.",
  disk_full: "Not enough disk space.",
  crash_loop: "The node crashed again and again with this model, and refuses it until it is started anew.",
  port_in_use: "Another program listens on the port.",
  unauthorized: "A key is missing or wrong, or a node is not in the cluster.",
  internal: "A fault of exo-native itself.",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "not_ready",
  "overloaded",
  "deadline_exceeded",
  "peer_unreachable",
  "stale_epoch",
  "stage_lost",
]);

export interface ExoErrorOptions {
  readonly cause?: unknown;
  /** Overrides the default of the code. */
  readonly retryable?: boolean;
  /** Which argument, flag or field was wrong, as the caller spells it. */
  readonly param?: string;
  /** When it may be worth while to try again, where that is known better than by the code. */
  readonly retryAfterSeconds?: number;
}

/** The one error type of the project. `message` is a sentence that says what was wrong and what to do. */
export class ExoError extends Error {
  override readonly name = "ExoError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly param: string | null;
  readonly retryAfterSeconds: number | null;

  constructor(code: ErrorCode, message: string, options: ExoErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? RETRYABLE.has(code);
    this.param = options.param ?? null;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }

  /** Wraps whatever was thrown; an `ExoError` passes through unchanged. */
  static from(thrown: unknown, fallback: ErrorCode = "internal"): ExoError {
    if (thrown instanceof ExoError) return thrown;
    if (thrown instanceof Error) {
      const code = isErrorCode(Reflect.get(thrown, "code")) ? (Reflect.get(thrown, "code") as ErrorCode) : fallback;
      return new ExoError(code, thrown.message, { cause: thrown });
    }
    return new ExoError(fallback, String(thrown));
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_CODES, value);
}
