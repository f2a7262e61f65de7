import { ExoError } from "../core/errors.js";

/** Thrown when the header goes on beyond the bytes at hand, and the file has more of them. */
export class MoreBytesNeeded extends Error {}

/** Reads little-endian values from the first bytes of a file; checks what is left before every read. */
export class GgufCursor {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fileBytes: number;
  readonly #label: string;
  #offset = 0;

  /** `bytes` are the first of a file of `fileBytes`; `label` names the file in errors. */
  constructor(bytes: Uint8Array, fileBytes: number, label: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fileBytes = fileBytes;
    this.#label = label;
  }

  get offset(): number {
    return this.#offset;
  }

  /** The rest of the file from here, whether at hand or not. */
  get left(): number {
    return this.#fileBytes - this.#offset;
  }

  refuse(what: string): ExoError {
    return new ExoError("invalid_model", `${this.#label} cannot be used as a model: ${what}.`);
  }

  #advance(count: number): number {
    if (count > this.left) {
      throw this.refuse(`it is truncated, its header ends at byte ${this.#fileBytes} in the middle of a value`);
    }
    const start = this.#offset;
    if (start + count > this.#bytes.length) throw new MoreBytesNeeded();
    this.#offset = start + count;
    return start;
  }

  skip(count: number): void {
    this.#advance(count);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }
  i8(): number {
    return this.#view.getInt8(this.#advance(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }
  i16(): number {
    return this.#view.getInt16(this.#advance(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }
  f32(): number {
    return this.#view.getFloat32(this.#advance(4), true);
  }
  f64(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }
  i64(): number {
    return Number(this.#view.getBigInt64(this.#advance(8), true));
  }
  u64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  /** A 64-bit size or count, each unit of which takes at least `unitBytes` of what is left of the file. */
  count(what: string, unitBytes: number): number {
    const value = this.u64();
    if (!Number.isSafeInteger(value) || value * unitBytes > this.left) {
      throw this.refuse(`it is truncated or damaged, it claims ${value} ${what} with ${this.left} bytes left`);
    }
    return value;
  }

  string(): string {
    const length = this.count("bytes of text", 1);
    const start = this.#advance(length);
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, length).toString("utf8");
  }

  skipString(): void {
    this.#advance(this.count("bytes of text", 1));
  }
}
