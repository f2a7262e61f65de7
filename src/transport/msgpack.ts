import { Packr } from "msgpackr";
import { type ErrorCode, ExoError } from "../core/errors.js";

/** Plain msgpack: maps for objects (no record extension), and no key for `undefined`, as in JSON. */
const OPTIONS = { useRecords: false, variableMapSize: true, skipValues: [undefined] };

const packr = new Packr(OPTIONS);

export function packMessage(value: unknown): Buffer {
  return packr.pack(value);
}

/** Throws `code` when the bytes are no msgpack. */
export function unpackMessage(bytes: Uint8Array, what: string, code: ErrorCode): unknown {
  try {
    return packr.unpack(bytes);
  } catch (thrown) {
    throw new ExoError(code, `${what} cannot be read: it is not msgpack.`, { cause: thrown });
  }
}
