import { ExoError } from "../core/errors.js";
import { KV_OPERATION, KV_OPERATION_NUMBERS, ROW_BYTES, ROW_OUTPUT } from "./bindings.js";

/** One position of one sequence. */
export interface Row {
  /** 0 … maxSequences - 1. */
  readonly sequence: number;
  /** 0 … contextSize - 1. */
  readonly position: number;
  /** Needed by every stage: layers of a few architectures look at it. */
  readonly token: number;
  /** The row's logits (or, at the last stage before the head, its hidden state) are wanted. */
  readonly output: boolean;
}

/**
 * A change to the KV cache, the same on every stage, applied before the rows of its micro-batch. Positions are
 * half-open `[from, to)`; `to` null: to the end.
 */
export type KvOperation =
  /** `sequence` null: every sequence. */
  | { readonly op: "remove"; readonly sequence: number | null; readonly from: number; readonly to: number | null }
  | {
      readonly op: "copy";
      readonly sequence: number;
      readonly destination: number;
      readonly from: number;
      readonly to: number | null;
    }
  /** Removes every other sequence. */
  | { readonly op: "keep"; readonly sequence: number }
  /** Moves the positions by `delta`. */
  | {
      readonly op: "add";
      readonly sequence: number;
      readonly from: number;
      readonly to: number | null;
      readonly delta: number;
    };

/** `n * ROW_BYTES` bytes, as the addon and the hop frames carry them. */
export function encodeRows(rows: readonly Row[]): Uint8Array {
  const bytes = new Uint8Array(rows.length * ROW_BYTES);
  const view = new DataView(bytes.buffer);
  rows.forEach((row, index) => {
    const at = index * ROW_BYTES;
    view.setUint16(at, row.sequence, true);
    view.setUint16(at + 2, row.output ? ROW_OUTPUT : 0, true);
    view.setInt32(at + 4, row.position, true);
    view.setInt32(at + 8, row.token, true);
  });
  return bytes;
}

export function decodeRows(bytes: Uint8Array): Row[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: rowCount(bytes) }, (_, index) => {
    const at = index * ROW_BYTES;
    return {
      sequence: view.getUint16(at, true),
      output: (view.getUint16(at + 2, true) & ROW_OUTPUT) !== 0,
      position: view.getInt32(at + 4, true),
      token: view.getInt32(at + 8, true),
    };
  });
}

export function rowCount(bytes: Uint8Array): number {
  if (bytes.byteLength % ROW_BYTES !== 0) {
    throw new ExoError("bad_frame", `Rows take ${ROW_BYTES} bytes each, but ${bytes.byteLength} bytes came.`);
  }
  return bytes.byteLength / ROW_BYTES;
}

export function encodeKvOperations(operations: readonly KvOperation[]): Int32Array {
  const numbers = new Int32Array(operations.length * KV_OPERATION_NUMBERS);
  operations.forEach((operation, index) => {
    numbers.set(kvNumbers(operation), index * KV_OPERATION_NUMBERS);
  });
  return numbers;
}

function kvNumbers(operation: KvOperation): readonly number[] {
  const op = KV_OPERATION[operation.op];
  switch (operation.op) {
    case "remove":
      return [op, operation.sequence ?? -1, 0, operation.from, operation.to ?? -1, 0];
    case "copy":
      return [op, operation.sequence, operation.destination, operation.from, operation.to ?? -1, 0];
    case "keep":
      return [op, operation.sequence, 0, 0, -1, 0];
    case "add":
      return [op, operation.sequence, 0, operation.from, operation.to ?? -1, operation.delta];
  }
}
