import { Metadata, type ServiceError, status as Status, type StatusObject } from "@grpc/grpc-js";
import { type ErrorCode, ExoError, isErrorCode } from "../core/errors.js";
import { refusalIn } from "./trust-refusal.js";

/** The gRPC status of every error code; `docs/protocol.md` lists the same. */
export const GRPC_STATUS: Readonly<Record<ErrorCode, Status>> = {
  invalid_argument: Status.INVALID_ARGUMENT,
  invalid_model: Status.FAILED_PRECONDITION,
  unsupported: Status.UNIMPLEMENTED,
  context_exceeded: Status.OUT_OF_RANGE,
  model_not_found: Status.NOT_FOUND,
  not_ready: Status.FAILED_PRECONDITION,
  overloaded: Status.RESOURCE_EXHAUSTED,
  out_of_memory: Status.RESOURCE_EXHAUSTED,
  cancelled: Status.CANCELLED,
  deadline_exceeded: Status.DEADLINE_EXCEEDED,
  peer_unreachable: Status.UNAVAILABLE,
  peer_incompatible: Status.FAILED_PRECONDITION,
  stale_epoch: Status.FAILED_PRECONDITION,
  bad_frame: Status.INVALID_ARGUMENT,
  stage_lost: Status.ABORTED,
  download_failed: Status.UNAVAILABLE,
  disk_full: Status.RESOURCE_EXHAUSTED,
  crash_loop: Status.FAILED_PRECONDITION,
  port_in_use: Status.ALREADY_EXISTS,
  unauthorized: Status.UNAUTHENTICATED,
  internal: Status.INTERNAL,
};

/** What a status means that did not come from our own code: from gRPC itself, or from another program. */
const FOREIGN_STATUS: Readonly<Partial<Record<Status, ErrorCode>>> = {
  [Status.CANCELLED]: "cancelled",
  [Status.INVALID_ARGUMENT]: "invalid_argument",
  [Status.DEADLINE_EXCEEDED]: "deadline_exceeded",
  /** gRPC's own: a message over the limit. */
  [Status.RESOURCE_EXHAUSTED]: "invalid_argument",
  [Status.UNAUTHENTICATED]: "unauthorized",
  [Status.PERMISSION_DENIED]: "unauthorized",
  [Status.UNIMPLEMENTED]: "peer_incompatible",
  [Status.UNAVAILABLE]: "peer_unreachable",
  [Status.UNKNOWN]: "peer_unreachable",
};

/** Trailing metadata that lets the very same `ExoError` come out at the other end. */
const CODE_KEY = "exo-code";
const RETRYABLE_KEY = "exo-retryable";
const PARAM_KEY = "exo-param";
const RETRY_AFTER_KEY = "exo-retry-after";
/** Characters of a message that travel; gRPC puts them into one header, which HTTP/2 keeps short. */
const MAX_MESSAGE = 4000;

export function toGrpcStatus(error: ExoError): Pick<StatusObject, "code" | "details" | "metadata"> {
  const metadata = new Metadata();
  metadata.set(CODE_KEY, error.code);
  metadata.set(RETRYABLE_KEY, String(error.retryable));
  if (error.param !== null && /^[\x20-\x7e]+$/.test(error.param)) metadata.set(PARAM_KEY, error.param);
  if (error.retryAfterSeconds !== null) metadata.set(RETRY_AFTER_KEY, String(error.retryAfterSeconds));
  return { code: GRPC_STATUS[error.code], details: wellFormed(error.message.slice(0, MAX_MESSAGE)), metadata };
}

/** @param peer how to name the other end in a sentence, e.g. `The node at 10.0.0.2:52416` */
export function fromGrpcStatus(failure: ServiceError | StatusObject, peer: string): ExoError {
  const [code] = failure.metadata.get(CODE_KEY);
  if (isErrorCode(code)) {
    const [param] = failure.metadata.get(PARAM_KEY);
    const seconds = String(failure.metadata.get(RETRY_AFTER_KEY)[0] ?? "");
    return new ExoError(code, failure.details, {
      retryable: failure.metadata.get(RETRYABLE_KEY)[0] === "true",
      ...(typeof param === "string" ? { param } : {}),
      ...(/^\d{1,4}$/.test(seconds) ? { retryAfterSeconds: Number(seconds) } : {}),
    });
  }
  const refusal = refusalIn(failure.details);
  if (refusal !== null) return new ExoError("unauthorized", `${peer} is not talked to: ${refusal}`, { cause: failure });
  return new ExoError(FOREIGN_STATUS[failure.code] ?? "internal", sentenceOf(failure, peer), { cause: failure });
}

/** Whether gRPC reports a failed call; anything else that is thrown is a fault on this side. */
export function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "metadata" in thrown && thrown.metadata instanceof Metadata && "details" in thrown;
}

function sentenceOf(failure: ServiceError | StatusObject, peer: string): string {
  switch (failure.code) {
    case Status.CANCELLED:
      return `${peer} was not asked further: the call was cancelled.`;
    case Status.DEADLINE_EXCEEDED:
      return `${peer} did not answer in time.`;
    case Status.UNIMPLEMENTED:
      return `${peer} does not offer this service (${failure.details}); is it an exo-native node of the same release?`;
    case Status.UNAVAILABLE:
    case Status.UNKNOWN:
      return `${peer} cannot be reached (${reasonIn(failure.details)}); check that exo-native runs there, the address, and that both sides use the same encryption.`;
    default:
      return `${peer} failed: ${failure.details}`;
  }
}

/** gRPC wraps what the socket said: `No connection established. Last error: … (time). Resolution note: …`. */
function reasonIn(details: string): string {
  const wrapped = /Last error: (?:Error: )?(.+?)(?: \(\d{4}-[^)]*\))?\.?\s+Resolution note/s.exec(details);
  return (wrapped?.[1] ?? details).trim();
}

/** Half a surrogate pair would make the header's encoding throw. */
function wellFormed(text: string): string {
  return Buffer.from(text, "utf8").toString("utf8");
}
