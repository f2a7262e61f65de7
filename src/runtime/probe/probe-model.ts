import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type GgufHeader, type GgufTensor, readGgufHeader } from "../../model/gguf-header.js";
import { type GgufInfo, readGgufInfo } from "../../model/gguf-info.js";

/** One file of a model, without its weights. */
export interface PartHeader {
  readonly path: string;
  readonly fileBytes: number;
  readonly header: GgufHeader;
}

/** What is to be known of a model to measure how fast it computes: everything but the weights. */
export interface ProbeModel {
  readonly info: GgufInfo;
  readonly parts: readonly PartHeader[];
  /** sha256 of the files' headers, in hexadecimal. */
  readonly hash: string;
}

/** @param path first file; the headers' bytes must be real, the rest may be holes */
export async function readProbeModel(path: string): Promise<ProbeModel> {
  const info = await readGgufInfo(path);
  const parts: PartHeader[] = [];
  for (const file of info.files) parts.push({ path: file.path, ...(await readGgufHeader(file.path)) });
  return { info, parts, hash: await hashOf(parts) };
}

export function tensorsOf(model: ProbeModel): readonly GgufTensor[] {
  return model.parts.flatMap(({ header }) => header.tensors);
}

async function hashOf(parts: readonly PartHeader[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { path, header } of parts) {
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done();
      },
    });
    await pipeline(createReadStream(path, { end: header.dataOffset - 1 }), sink);
  }
  return hash.digest("hex");
}
