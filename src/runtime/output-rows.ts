import { ROW_BYTES, ROW_OUTPUT } from "../native/bindings.js";

/** Of rows as `encodeRows` writes them, those whose hidden states the head wants back, in their order. */
export function outputRows(rows: Uint8Array): Uint8Array {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength);
  const kept = new Uint8Array(rows.byteLength);
  let length = 0;
  for (let at = 0; at < rows.byteLength; at += ROW_BYTES) {
    if ((view.getUint16(at + 2, true) & ROW_OUTPUT) === 0) continue;
    kept.set(rows.subarray(at, at + ROW_BYTES), length);
    length += ROW_BYTES;
  }
  return kept.subarray(0, length);
}
