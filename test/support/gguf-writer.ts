/** A minimal writer of GGUF v3 files, for tests: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */

export type GgufValue =
  | { readonly type: "u32" | "f32" | "bool"; readonly value: number }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "strings"; readonly value: readonly string[] }
  | { readonly type: "f32s"; readonly value: readonly number[] }
  | { readonly type: "i32s"; readonly value: readonly number[] };

export interface GgufTensor {
  readonly name: string;
  /** ggml order: columns first. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** How the numbers are written. Default f32. */
  readonly type?: "f32" | "f16";
}

/** A tensor of which only the header is written. `type` is ggml's number. */
export interface GgufTensorShape {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly bytes: number;
}

const ALIGNMENT = 32;
const TENSOR_TYPE = { f32: 0, f16: 1 } as const;
/** GGUF's value types. */
const TYPE = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;

export function encodeGguf(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Buffer {
  const shapes = tensors.map((tensor) => ({
    ...tensor,
    type: TENSOR_TYPE[tensor.type ?? "f32"],
    bytes: bytesOf(tensor).length,
  }));
  const { header } = encodeGgufHeader(metadata, shapes);
  return Buffer.concat([header, ...tensors.map((tensor) => padded(bytesOf(tensor)))]);
}

/** The part of a file before the weights, and how long the whole file would be. */
export function encodeGgufHeader(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensorShape[],
): { readonly header: Buffer; readonly fileBytes: number } {
  const header = new ByteWriter();
  header.bytes(Buffer.from("GGUF"));
  header.u32(3);
  header.u64(tensors.length);
  header.u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    header.string(key);
    writeValue(header, value);
  }
  let offset = 0;
  for (const { name, shape, type, bytes } of tensors) {
    header.string(name);
    header.u32(shape.length);
    for (const size of shape) header.u64(size);
    header.u32(type);
    header.u64(offset);
    offset += alignedSize(bytes);
  }
  const done = padded(header.done());
  return { header: done, fileBytes: done.length + offset };
}

function writeValue(writer: ByteWriter, entry: GgufValue): void {
  switch (entry.type) {
    case "u32":
      writer.u32(TYPE.u32);
      writer.u32(entry.value);
      break;
    case "f32":
      writer.u32(TYPE.f32);
      writer.f32(entry.value);
      break;
    case "bool":
      writer.u32(TYPE.bool);
      writer.bytes(Buffer.from([entry.value]));
      break;
    case "string":
      writer.u32(TYPE.string);
      writer.string(entry.value);
      break;
    case "strings":
      writeArray(writer, TYPE.string, entry.value, (text) => writer.string(text));
      break;
    case "f32s":
      writeArray(writer, TYPE.f32, entry.value, (number) => writer.f32(number));
      break;
    case "i32s":
      writeArray(writer, TYPE.i32, entry.value, (number) => writer.u32(number >>> 0));
      break;
  }
}

function writeArray<Item>(writer: ByteWriter, type: number, items: readonly Item[], write: (item: Item) => void): void {
  writer.u32(TYPE.array);
  writer.u32(type);
  writer.u64(items.length);
  for (const item of items) write(item);
}

function bytesOf({ data, type }: GgufTensor): Buffer {
  if (type !== "f16") return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const halves = Uint16Array.from(new Uint32Array(data.buffer, data.byteOffset, data.length), toHalf);
  return Buffer.from(halves.buffer);
}

/** The bits of an f32 as those of an f16: towards zero, and 0 for what is too small; larger than 65504 is not used. */
function toHalf(bits: number): number {
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  const sign = (bits >>> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

const alignedSize = (size: number): number => Math.ceil(size / ALIGNMENT) * ALIGNMENT;

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(alignedSize(bytes.length) - bytes.length)]);
}

class ByteWriter {
  readonly #parts: Buffer[] = [];

  bytes(bytes: Buffer): void {
    this.#parts.push(bytes);
  }

  u32(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.#parts.push(bytes);
  }

  u64(value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    this.#parts.push(bytes);
  }

  f32(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    this.#parts.push(bytes);
  }

  string(text: string): void {
    const bytes = Buffer.from(text);
    this.u64(bytes.length);
    this.#parts.push(bytes);
  }

  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
