import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { readGgufHeader } from "../gguf-header.js";
import type { HeaderMark } from "./range-map.js";

/** The header of a file that is here whole. Throws as `readGgufHeader` does. */
export async function headerMark(path: string): Promise<HeaderMark> {
  const { header, fileBytes } = await readGgufHeader(path);
  const bytes = Math.min(header.dataOffset, fileBytes);
  const file = await open(path, "r");
  try {
    const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return { bytes, sha256: createHash("sha256").update(buffer).digest("hex") };
  } finally {
    await file.close();
  }
}

/** One name for the headers of all files of a model; that of a single file is its own. */
export function joinHashes(hashes: readonly string[]): string {
  const [only, ...further] = hashes;
  if (only !== undefined && further.length === 0) return only;
  return createHash("sha256").update(hashes.join("\n")).digest("hex");
}

/** sha256 of the headers of a model's files: nodes with the same one can hold parts of one ring. */
export async function modelHash(paths: readonly string[]): Promise<string> {
  const marks = await Promise.all(paths.map(headerMark));
  return joinHashes(marks.map(({ sha256 }) => sha256));
}
