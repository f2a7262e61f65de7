import { textAt } from "./json.js";

export interface ServerErrorDetails {
  /** Of `docs/errors.md`; `unreachable` when no node answered, `interrupted` when an answer broke off. */
  readonly code: string;
  /** Of HTTP; 0 when there was no answer, and for an error in the middle of one. */
  readonly status: number;
  /** As the node asked for; `null` when it did not. */
  readonly retryAfterSeconds: number | null;
}

/** A failure in a sentence for the reader. */
export class ServerError extends Error implements ServerErrorDetails {
  override readonly name = "ServerError";
  readonly code: string;
  readonly status: number;
  readonly retryAfterSeconds: number | null;

  constructor(message: string, details: Partial<ServerErrorDetails> = {}) {
    super(message);
    this.code = details.code ?? "internal";
    this.status = details.status ?? 0;
    this.retryAfterSeconds = details.retryAfterSeconds ?? null;
  }
}

export function hasStatus(thrown: unknown, status: number): boolean {
  return thrown instanceof ServerError && thrown.status === status;
}

export function unreachable(): ServerError {
  return new ServerError("The node cannot be reached; check that it still runs.", { code: "unreachable" });
}

export function interrupted(): ServerError {
  const message = "The connection to the node was lost in the middle of the answer.";
  return new ServerError(message, { code: "interrupted" });
}

/** The error event of a stream: `{"error": {…}}`. */
export function eventError(event: unknown): ServerError {
  const message = textAt(event, "error", "message") || "The node gave up on the answer and did not say why.";
  return new ServerError(message, { code: textAt(event, "error", "code") || "internal" });
}

/** A response that is not `ok`. */
export async function responseError(response: Response): Promise<ServerError> {
  const body: unknown = await response.json().catch(() => null);
  const message = textAt(body, "error", "message") || `The node answered with HTTP status ${response.status}.`;
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new ServerError(message, {
    code: textAt(body, "error", "code") || "internal",
    status: response.status,
    retryAfterSeconds: Number.isFinite(seconds) ? seconds : null,
  });
}

/** What to tell the reader of anything thrown. */
export function sentenceOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  return "Something went wrong in the page; reload it.";
}
