import { z } from "zod";
import { ExoError } from "../core/errors.js";
import type { BlockRun } from "../model/sparse/blocks.js";
import type { OfferedFile } from "../model/sparse/range-source.js";
import type { HashModelRequest__Output } from "./generated/exo/v1/HashModelRequest.js";
import type { ModelHashes__Output } from "./generated/exo/v1/ModelHashes.js";
import type { ModelOffer__Output, ModelOffer as WireModelOffer } from "./generated/exo/v1/ModelOffer.js";
import { parse } from "./parse.js";

/** The messages of `node.proto` about models as they arrive. */

const HASH_BYTES = 32;
const size = z.int().nonnegative();
const blockIndex = z.int().min(0).max(0xffff_ffff);
const run: z.ZodType<BlockRun> = z.object({ first: blockIndex, count: blockIndex.min(1) });

const offeredFile = z
  .object({
    id: z.string().min(1).max(128),
    bytes: size.min(1),
    version: z.string().max(1024),
    headerBytes: size.min(1),
    headerSha256: z.string().regex(/^[0-9a-f]{64}$/),
    runs: z.array(run).max(65_536),
  })
  .refine(({ bytes, headerBytes }) => headerBytes <= bytes, "the header is longer than the file")
  .refine(
    ({ bytes, runs }) => runs.every(({ first, count }) => (first + count - 1) * 2 ** 20 < bytes),
    "a run is beyond the file",
  );

const offer = z.object({ files: z.array(offeredFile).max(1000) });

export const modelSpecSchema = z.string().min(1).max(4096);

export function toWireOffer(files: readonly OfferedFile[]): WireModelOffer {
  return {
    files: files.map(({ id, bytes, version, header, runs }) => ({
      id,
      bytes,
      version: version ?? "",
      headerBytes: header.bytes,
      headerSha256: header.sha256,
      runs: [...runs],
    })),
  };
}

export function fromWireOffer(message: ModelOffer__Output, peer: string): readonly OfferedFile[] {
  const { files } = parse(offer, message, `What ${peer} has of a model`, "peer_incompatible");
  return files.map(({ id, bytes, version, headerBytes, headerSha256, runs }) => ({
    id,
    bytes,
    version: version === "" ? null : version,
    header: { bytes: headerBytes, sha256: headerSha256 },
    runs,
  }));
}

export function fromWireRun({ first, count }: HashModelRequest__Output): BlockRun {
  return parse(run, { first, count }, "A request for hashes", "invalid_argument");
}

export function fromWireHashes({ hashes }: ModelHashes__Output, peer: string): readonly Buffer[] {
  if (hashes.length % HASH_BYTES !== 0) {
    throw new ExoError(
      "peer_incompatible",
      `${peer} sent ${hashes.length} bytes of hashes, which are no whole hashes.`,
    );
  }
  return Array.from({ length: hashes.length / HASH_BYTES }, (_, index) =>
    hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES),
  );
}
