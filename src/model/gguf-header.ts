import { type FileHandle, open, stat } from "node:fs/promises";
import { ExoError } from "../core/errors.js";
import { GGML_TYPES } from "./ggml-types.js";
import { GgufCursor, MoreBytesNeeded } from "./gguf-cursor.js";

/**
 * The header of one GGUF file. Read here and not by node-llama-cpp's reader, which serves well-formed files only: on a
 * truncated header it goes on with zeros, and on one that claims a huge number of entries it does not come back.
 * The checks are those of llama.cpp's gguf.cpp.
 */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
  /** Where the tensors' data begins. */
  readonly dataOffset: number;
}

export type GgufScalar = number | boolean | string;
/** Long arrays (vocabularies) keep their length only. */
export type GgufArray = { readonly length: number; readonly values: readonly GgufScalar[] | null };
export type GgufValue = GgufScalar | GgufArray;

export interface GgufTensor {
  readonly name: string;
  readonly type: string;
  readonly elements: number;
  /** First dimension, i.e. elements per row. */
  readonly rowElements: number;
  readonly rows: number;
  /** From the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** Longer arrays are vocabularies; the longest per-layer arrays are some hundreds. */
const KEPT_ARRAY_LENGTH = 4096;
const FIRST_READ = 2 ** 20;
/** The largest headers known (256 K tokens with merges) are below 32 MiB. */
const HEADER_LIMIT = 2 ** 28;
const SMALLEST_METADATA_ENTRY = 8 + 1 + 4 + 1;
const SMALLEST_TENSOR_ENTRY = 8 + 4 + 4 + 8;
const MAX_TENSOR_NAME = 63;
const MAX_DIMENSIONS = 4;

const ARRAY_TYPE = 9;
const STRING_TYPE = 8;

/** By GGUF value type: how to read it, and the bytes it takes at least. */
const SCALARS: ReadonlyMap<number, { readonly bytes: number; read(cursor: GgufCursor): GgufScalar }> = new Map([
  [0, { bytes: 1, read: (cursor: GgufCursor): GgufScalar => cursor.u8() }],
  [1, { bytes: 1, read: (cursor) => cursor.i8() }],
  [2, { bytes: 2, read: (cursor) => cursor.u16() }],
  [3, { bytes: 2, read: (cursor) => cursor.i16() }],
  [4, { bytes: 4, read: (cursor) => cursor.u32() }],
  [5, { bytes: 4, read: (cursor) => cursor.i32() }],
  [6, { bytes: 4, read: (cursor) => cursor.f32() }],
  [7, { bytes: 1, read: (cursor) => cursor.u8() !== 0 }],
  [STRING_TYPE, { bytes: 8, read: (cursor) => cursor.string() }],
  [10, { bytes: 8, read: (cursor) => cursor.u64() }],
  [11, { bytes: 8, read: (cursor) => cursor.i64() }],
  [12, { bytes: 8, read: (cursor) => cursor.f64() }],
]);

function readArray(cursor: GgufCursor, key: string): GgufArray {
  const type = cursor.u32();
  const scalar = SCALARS.get(type);
  if (scalar === undefined) throw cursor.refuse(`the list "${key}" has items of the unknown type ${type}`);
  const length = cursor.count("list items", scalar.bytes);
  if (length <= KEPT_ARRAY_LENGTH) return { length, values: Array.from({ length }, () => scalar.read(cursor)) };
  if (type === STRING_TYPE) for (let i = 0; i < length; i++) cursor.skipString();
  else cursor.skip(length * scalar.bytes);
  return { length, values: null };
}

function readMetadata(cursor: GgufCursor, count: number): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = cursor.string();
    if (key === "" || metadata.has(key))
      throw cursor.refuse(`it is damaged, metadata key ${i} is empty or a duplicate`);
    const type = cursor.u32();
    const scalar = SCALARS.get(type);
    if (scalar === undefined && type !== ARRAY_TYPE) throw cursor.refuse(`"${key}" is of the unknown type ${type}`);
    metadata.set(key, scalar === undefined ? readArray(cursor, key) : scalar.read(cursor));
  }
  return metadata;
}

function readDimensions(cursor: GgufCursor, name: string): number[] {
  const count = cursor.u32();
  if (count > MAX_DIMENSIONS) throw cursor.refuse(`tensor "${name}" has ${count} dimensions`);
  const dimensions = Array.from({ length: count }, () => cursor.i64());
  const elements = dimensions.reduce((product, size) => product * size, 1);
  if (dimensions.some((size) => size < 0) || !Number.isSafeInteger(elements)) {
    throw cursor.refuse(`tensor "${name}" has the impossible shape ${dimensions.join(" × ")}`);
  }
  return dimensions;
}

/** `offset` here is relative to the data section. */
function readTensor(cursor: GgufCursor): GgufTensor {
  const name = cursor.string();
  if (name.length > MAX_TENSOR_NAME) throw cursor.refuse(`a tensor's name has ${name.length} characters`);
  const dimensions = readDimensions(cursor, name);
  const type = cursor.u32();
  const packing = GGML_TYPES.get(type);
  if (packing === undefined) throw cursor.refuse(`tensor "${name}" has the unknown number format ${type}`);
  const rowElements = dimensions[0] ?? 1;
  if (rowElements % packing.blockElements !== 0) {
    throw cursor.refuse(`tensor "${name}" has rows of ${rowElements} elements, which ${packing.name} cannot pack`);
  }
  const elements = dimensions.reduce((product, size) => product * size, 1);
  const bytes = (elements / packing.blockElements) * packing.blockBytes;
  const rows = rowElements === 0 ? 0 : elements / rowElements;
  return { name, type: packing.name, elements, rowElements, rows, offset: cursor.u64(), bytes };
}

function alignmentOf(cursor: GgufCursor, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get("general.alignment") ?? 32;
  const isPowerOfTwo = typeof alignment === "number" && alignment > 0 && Number.isInteger(Math.log2(alignment));
  if (!isPowerOfTwo) throw cursor.refuse("its alignment is not a power of two");
  return alignment;
}

/** Tensors must follow each other without gaps and lie inside the file. */
function place(
  cursor: GgufCursor,
  tensors: readonly GgufTensor[],
  alignment: number,
  fileBytes: number,
): GgufHeader["tensors"] {
  const padded = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
  const dataOffset = padded(cursor.offset);
  let expected = 0;
  return tensors.map((tensor) => {
    if (tensor.offset !== expected) throw cursor.refuse(`tensor "${tensor.name}" is not where it should be`);
    expected += padded(tensor.bytes);
    const offset = dataOffset + tensor.offset;
    if (offset + tensor.bytes > fileBytes) {
      throw cursor.refuse(
        `it is truncated, tensor "${tensor.name}" ends at byte ${offset + tensor.bytes} but the file has ${fileBytes}`,
      );
    }
    return { ...tensor, offset };
  });
}

function checkMagic(cursor: GgufCursor): void {
  if (cursor.left === 0) throw cursor.refuse("it is empty");
  const magic = cursor.left < 4 ? "" : String.fromCharCode(cursor.u8(), cursor.u8(), cursor.u8(), cursor.u8());
  if (magic !== "GGUF") throw cursor.refuse('it is not a GGUF file (it does not begin with "GGUF")');
  const version = cursor.u32();
  if (version !== 2 && version !== 3) throw cursor.refuse(`its GGUF version ${version} is not 2 or 3`);
}

/**
 * Parses a header from the first bytes of a file of `fileBytes`. Throws `MoreBytesNeeded` when the header goes on
 * beyond them, `invalid_model` when it is damaged. Work and memory are bounded by `bytes.length`.
 */
export function parseGgufHeader(bytes: Uint8Array, fileBytes: number, label: string): GgufHeader {
  const cursor = new GgufCursor(bytes, fileBytes, label);
  checkMagic(cursor);
  const tensorCount = cursor.count("tensors", SMALLEST_TENSOR_ENTRY);
  const metadataCount = cursor.count("metadata entries", SMALLEST_METADATA_ENTRY);
  const metadata = readMetadata(cursor, metadataCount);
  const relative: GgufTensor[] = [];
  for (let i = 0; i < tensorCount; i++) relative.push(readTensor(cursor));
  if (new Set(relative.map((tensor) => tensor.name)).size !== tensorCount) {
    throw cursor.refuse("it is damaged, two of its tensors have the same name");
  }
  const alignment = alignmentOf(cursor, metadata);
  const tensors = place(cursor, relative, alignment, fileBytes);
  return { metadata, tensors, dataOffset: Math.ceil(cursor.offset / alignment) * alignment };
}

/** Reads as much of the file as the header takes, and no more than 256 MiB. */
export async function readGgufHeader(path: string): Promise<{ header: GgufHeader; fileBytes: number }> {
  // Before it is opened: opening a pipe would wait for somebody to write.
  const found = await stat(path).catch((thrown: unknown) => cannotOpen(path, thrown));
  if (!found.isFile()) throw new ExoError("invalid_model", `${path} cannot be used as a model: it is not a file.`);
  const file = await open(path, "r").catch((thrown: unknown) => cannotOpen(path, thrown));
  try {
    const { size } = await file.stat();
    return { header: await readGrowing(file, size, path), fileBytes: size };
  } finally {
    await file.close();
  }
}

function cannotOpen(path: string, thrown: unknown): never {
  const missing = thrown instanceof Error && Reflect.get(thrown, "code") === "ENOENT";
  const why = missing ? "there is no such file" : String(thrown);
  throw new ExoError("model_not_found", `Cannot open the model file ${path}: ${why}.`, { cause: thrown });
}

async function readGrowing(file: FileHandle, fileBytes: number, path: string): Promise<GgufHeader> {
  for (let length = FIRST_READ; length <= HEADER_LIMIT; length *= 4) {
    const buffer = Buffer.alloc(Math.max(1, Math.min(length, fileBytes)));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    try {
      return parseGgufHeader(buffer.subarray(0, bytesRead), fileBytes, path);
    } catch (thrown) {
      if (!(thrown instanceof MoreBytesNeeded)) throw thrown;
    }
  }
  throw new ExoError("invalid_model", `${path} cannot be used as a model: its header is larger than 256 MiB.`);
}
