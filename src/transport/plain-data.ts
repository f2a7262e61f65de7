import { Packr, Unpackr } from "msgpackr";
import { type ErrorCode, ExoError } from "../core/errors.js";

/** Plain maps, lists and numbers only: no shared record shapes, no types of JavaScript's own. */
const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" });

/** Deeper than any request of ours; a reader's stack is never at a peer's mercy. */
const MAX_DEPTH = 128;

/** Requests, events and records inside a protobuf message: msgpack, which keeps -Infinity and is read without copying. */
export function packData(value: unknown): Buffer {
  return packr.pack(value ?? null);
}

/** Throws `code` when the bytes are no msgpack of plain data. */
export function unpackData(bytes: Buffer, what: string, code: ErrorCode): unknown {
  try {
    requirePlain(bytes);
    return unpackr.unpack(bytes);
  } catch (thrown) {
    throw new ExoError(code, `${what} cannot be read: ${thrown instanceof Error ? thrown.message : "malformed"}.`, {
      cause: thrown,
    });
  }
}

/**
 * Walks the bytes before anything is made of them. msgpack's extension types stand for whatever the reading program
 * defines (msgpackr makes regular expressions, errors and code of some): from a peer they are refused, and so are
 * counts that the bytes do not bear out.
 */
function requirePlain(bytes: Buffer): void {
  const end = skipValue(bytes, 0, 0);
  if (end !== bytes.byteLength) throw new Error(`it holds ${bytes.byteLength - end} bytes too many`);
}

/** Returns where the value at `at` ends. */
function skipValue(bytes: Buffer, at: number, depth: number): number {
  if (depth > MAX_DEPTH) throw new Error(`it is nested more than ${MAX_DEPTH} deep`);
  const type = bytes[at];
  if (type === undefined) throw new Error("it is cut short");
  const head = headOf(type);
  if (head === null) throw new Error(`it holds a value of type 0x${type.toString(16)}, which is not plain data`);
  const count = head.countBytes === 0 ? head.count : bytes.readUIntBE(at + 1, head.countBytes);
  let next = at + 1 + head.countBytes;
  if (head.values === 0) {
    next += count;
  } else {
    // Each value takes a byte at least, so a count that cannot be true is found without being followed.
    if (count * head.values > bytes.byteLength - next) throw new Error("it counts more values than it holds");
    for (let left = count * head.values; left > 0; left -= 1) next = skipValue(bytes, next, depth + 1);
  }
  if (next > bytes.byteLength) throw new Error("it is cut short");
  return next;
}

/** How a msgpack value begins: its length in bytes or in values follows in `countBytes` bytes, or is `count`. */
interface Head {
  readonly countBytes: 0 | 1 | 2 | 4;
  readonly count: number;
  /** 0: `count` bytes follow. 1: `count` values (array). 2: `count` pairs (map). */
  readonly values: 0 | 1 | 2;
}

const counted = (countBytes: 1 | 2 | 4, values: 0 | 1 | 2): Head => ({ countBytes, count: 0, values });
const fixed = (count: number, values: 0 | 1 | 2 = 0): Head => ({ countBytes: 0, count, values });

/** By first byte, from 0xc0 on; https://github.com/msgpack/msgpack/blob/master/spec.md */
const HEADS: ReadonlyMap<number, Head> = new Map([
  [0xc0, fixed(0)],
  [0xc2, fixed(0)],
  [0xc3, fixed(0)],
  [0xc4, counted(1, 0)],
  [0xc5, counted(2, 0)],
  [0xc6, counted(4, 0)],
  [0xca, fixed(4)],
  [0xcb, fixed(8)],
  [0xcc, fixed(1)],
  [0xcd, fixed(2)],
  [0xce, fixed(4)],
  [0xcf, fixed(8)],
  [0xd0, fixed(1)],
  [0xd1, fixed(2)],
  [0xd2, fixed(4)],
  [0xd3, fixed(8)],
  [0xd9, counted(1, 0)],
  [0xda, counted(2, 0)],
  [0xdb, counted(4, 0)],
  [0xdc, counted(2, 1)],
  [0xdd, counted(4, 1)],
  [0xde, counted(2, 2)],
  [0xdf, counted(4, 2)],
]);

function headOf(type: number): Head | null {
  if (type <= 0x7f || type >= 0xe0) return fixed(0);
  if (type <= 0x8f) return fixed(type & 0x0f, 2);
  if (type <= 0x9f) return fixed(type & 0x0f, 1);
  if (type <= 0xbf) return fixed(type & 0x1f);
  return HEADS.get(type) ?? null;
}
