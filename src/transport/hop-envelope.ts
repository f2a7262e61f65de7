import { ExoError } from "../core/errors.js";

/**
 * The protobuf of `HopMessage {padding, frame}` around a frame, written by hand in the bytes before it, so that a frame
 * is never copied to be wrapped. gRPC puts 5 bytes of its own in front: with these 11 the frame starts 16 bytes into
 * the receiver's buffer, aligned for reading in place.
 */
export const ENVELOPE_BYTES = 11;

const TAG_PADDING = 0x0a;
const TAG_FRAME = 0x12;
/** Tag and length byte of the padding, and the tag of the frame. */
const FIXED_BYTES = 3;

/** Writes the envelope into `message[0, ENVELOPE_BYTES)`; the rest of `message` is the frame. */
export function writeEnvelope(message: Uint8Array): void {
  const frameBytes = message.byteLength - ENVELOPE_BYTES;
  const padding = ENVELOPE_BYTES - FIXED_BYTES - varintLength(frameBytes);
  message[0] = TAG_PADDING;
  message[1] = padding;
  message.fill(0, 2, 2 + padding);
  message[2 + padding] = TAG_FRAME;
  writeVarint(message, 3 + padding, frameBytes);
}

/** The frame inside a `HopMessage`, as a view. Reads any valid encoding, also ones that other protobuf writers make. */
export function readEnvelope(message: Uint8Array): Uint8Array {
  let frame: Uint8Array | null = null;
  let at = 0;
  while (at < message.byteLength) {
    const tag = message[at];
    if (tag !== TAG_PADDING && tag !== TAG_FRAME) throw badEnvelope(`field tag ${tag} at byte ${at} is unknown`);
    const length = readVarint(message, at + 1);
    const end = length.next + length.value;
    if (end > message.byteLength) {
      throw badEnvelope(
        `a field of ${length.value} bytes at byte ${at} runs over its end (${message.byteLength} bytes)`,
      );
    }
    if (tag === TAG_FRAME) frame = message.subarray(length.next, end);
    at = end;
  }
  if (frame === null) throw badEnvelope("it holds no frame");
  return frame;
}

function varintLength(value: number): number {
  let bytes = 1;
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

function writeVarint(target: Uint8Array, offset: number, value: number): void {
  let at = offset;
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) target[at++] = (rest % 128) | 0x80;
  target[at] = rest;
}

/** Lengths only: at most 5 bytes, 35 bits. */
function readVarint(source: Uint8Array, offset: number): { value: number; next: number } {
  let value = 0;
  for (let index = 0; index < 5; index += 1) {
    const byte = source[offset + index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return { value, next: offset + index + 1 };
  }
  throw badEnvelope(`the length at byte ${offset} is cut off or longer than 5 bytes`);
}

function badEnvelope(what: string): ExoError {
  return new ExoError("bad_frame", `A hop message cannot be read: ${what}.`);
}
