import { type ErrorCode, ExoError } from "../core/errors.js";

/**
 * Requests, events and records inside a protobuf message: JSON, because what comes from a peer is not to be trusted, and
 * no parser is better proven. (Binary formats gained nothing in size or time on these, and bring types that only a
 * program of ours would send.) Numbers that are not finite arrive as `null`.
 */
export function packData(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value) ?? "null");
}

/** Throws `code` when the bytes are no JSON. */
export function unpackData(bytes: Buffer, what: string, code: ErrorCode): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (thrown) {
    throw new ExoError(code, `${what} cannot be read: it is not JSON.`, { cause: thrown });
  }
}
