import { createHash } from "node:crypto";
import { ExoError } from "../../core/errors.js";
import { MoreBytesNeeded } from "../gguf-cursor.js";
import { type GgufHeader, parseGgufHeader } from "../gguf-header.js";
import { blocksOf } from "./blocks.js";
import type { SparseFile } from "./sparse-file.js";

/** No header known is larger; the same as `readGgufHeader` holds. */
const HEADER_LIMIT = 2 ** 28;
const FIRST_LENGTH = 2 ** 20;

/**
 * Reads the header of a file, of which `fetch` brings the blocks that it takes. Throws `invalid_model` when it is none.
 * The header is then marked in the file's map.
 */
export async function readSparseHeader(
  file: SparseFile,
  fetch: (blocks: readonly number[]) => Promise<void>,
): Promise<GgufHeader> {
  const { bytes } = file.identity;
  for (let length = FIRST_LENGTH; ; length = Math.min(HEADER_LIMIT, length * 4)) {
    const end = Math.min(length, bytes);
    const missing = file.missing(blocksOf([{ begin: 0, end }]));
    if (missing.length > 0) await fetch(missing);
    const data = await file.read(0, end);
    try {
      const header = parseGgufHeader(data, bytes, file.path);
      markHeader(file, header, data);
      return header;
    } catch (thrown) {
      if (!(thrown instanceof MoreBytesNeeded)) throw thrown;
      if (length >= HEADER_LIMIT) throw tooLarge(file.path);
    }
  }
}

function markHeader(file: SparseFile, header: GgufHeader, data: Buffer): void {
  // A file without tensors' data may end before the padding does.
  const end = Math.min(header.dataOffset, data.length);
  const sha256 = createHash("sha256").update(data.subarray(0, end)).digest("hex");
  if (file.header?.sha256 !== sha256) file.setHeader({ bytes: end, sha256 });
}

function tooLarge(path: string): ExoError {
  return new ExoError("invalid_model", `${path} cannot be used as a model: its header is larger than 256 MiB.`);
}
