import { join } from "node:path";
import { ExoError } from "../../core/errors.js";
import type { GgufHeader } from "../gguf-header.js";
import { shownUrl } from "../http-answer.js";
import type { PinnedFile } from "../pinned-source.js";
import { cutIntoBlocks } from "../sparse/block-stream.js";
import { BLOCK_BYTES, blocksOf } from "../sparse/blocks.js";
import type { CheckedBlocks } from "../sparse/checked-blocks.js";
import { BlockFill, type FillObserver, type FillTools, HUB } from "../sparse/fill-blocks.js";
import type { FillPeer } from "../sparse/fill-peer.js";
import type { HttpOrigin } from "../sparse/http-ranges.js";
import { openOriginStream } from "../sparse/origin-stream.js";
import { Patience } from "../sparse/patience.js";
import { type HeaderMark, readRangeMap } from "../sparse/range-map.js";
import { readSparseHeader } from "../sparse/read-header.js";
import { SparseFile, sha256 } from "../sparse/sparse-file.js";
import { fillPeers, type PeerOffer } from "./peer-offers.js";

/** A file of a model with its header, and where the rest of it can be had. */
export interface OpenFile {
  readonly sparse: SparseFile;
  readonly header: GgufHeader;
  readonly mark: HeaderMark;
  readonly origin: HttpOrigin | null;
  readonly peers: readonly FillPeer[];
}

export interface OpenFileRequest {
  readonly directory: string;
  readonly name: string;
  /** Place among the model's files. */
  readonly index: number;
  /** `null`: only peers have it. */
  readonly pinned: PinnedFile | null;
  /** `null`: not to be asked. */
  readonly origin: HttpOrigin | null;
  readonly offers: readonly PeerOffer[];
  readonly signal: AbortSignal;
  readonly observer: FillObserver;
  readonly checked: CheckedBlocks;
  /** Whether damaged blocks are forgotten and fetched again, or `DamagedHere` is thrown. */
  readonly mends: boolean;
}

/** What is here cannot be used as it is. */
export class DamagedHere extends Error {}

/** The header from the disk, else from the hub, else from a peer. The caller closes what comes of it. */
export async function openModelFile(request: OpenFileRequest, tools: FillTools): Promise<OpenFile> {
  const known = await openKnown(request, tools);
  const { sparse, hub } = known === null ? await openNew(request, tools) : { sparse: known, hub: request.origin };
  try {
    if (known !== null) await checkHeader(request, known, tools);
    const header = await readSparseHeader(sparse, (blocks) => fillHeader(request, sparse, hub, blocks, tools));
    const mark = sparse.header;
    if (mark === null) throw new ExoError("internal", `The header of ${sparse.path} was read and not marked.`);
    const peers = fillPeers(request.offers, request.index, { ...sparse.identity, header: mark });
    return { sparse, header, mark, origin: request.origin, peers };
  } catch (thrown) {
    await sparse.close();
    // What is no model is not kept.
    if (thrown instanceof ExoError && thrown.code === "invalid_model") await SparseFile.discard(sparse.path);
    throw thrown;
  }
}

async function checkHeader(
  { checked, mends, signal }: OpenFileRequest,
  file: SparseFile,
  { logger }: FillTools,
): Promise<void> {
  const blocks = blocksOf([{ begin: 0, end: file.header?.bytes ?? 0 }]);
  if (mends) await checked.forgetDamaged(file, blocks, signal, logger);
  else if ((await checked.damaged(file, blocks, signal)).length > 0) throw new DamagedHere();
}

/** What is here already, when it is of the content that is asked for. */
async function openKnown({ directory, name, pinned }: OpenFileRequest, tools: FillTools): Promise<SparseFile | null> {
  const path = join(directory, name);
  const map = await readRangeMap(path);
  if (map === null || map.hashes.size === 0) return null;
  if (pinned !== null && pinned.bytes !== null && pinned.bytes !== map.bytes) return null;
  if (pinned !== null && pinned.sha256 !== null && map.version !== `sha256:${pinned.sha256}`) return null;
  return SparseFile.open(path, { bytes: map.bytes, version: map.version }, tools.io);
}

/** `hub` is `null` where it cannot be reached now. */
interface NewFile {
  readonly sparse: SparseFile;
  readonly hub: HttpOrigin | null;
}

async function openNew(request: OpenFileRequest, tools: FillTools): Promise<NewFile> {
  const { origin, offers, index } = request;
  const offered = offers.map(({ files }) => files[index]).find((file) => file !== undefined);
  if (origin !== null) {
    try {
      const tries = offered === undefined ? tools.io.fruitlessTries : 1;
      return { sparse: await openFromHub(request, origin, tries, tools), hub: origin };
    } catch (thrown) {
      const isFailure = thrown instanceof ExoError && thrown.code === "download_failed";
      if (!isFailure || offered === undefined) throw thrown;
      tools.logger.info({ file: request.name }, `Taking the model from other nodes: ${thrown.message}`);
    }
  }
  if (offered === undefined) throw notToBeHad(request);
  const { bytes, version } = offered;
  const path = join(request.directory, request.name);
  return { sparse: await SparseFile.open(path, { bytes, version }, tools.io), hub: null };
}

function notToBeHad({ name, pinned }: OpenFileRequest): ExoError {
  const where = pinned === null ? name : shownUrl(pinned.url);
  return new ExoError(
    "model_not_found",
    `${where} is not on this machine, no node that can be reached has it, and the hub is not to be asked (HF_HUB_OFFLINE, or a file of one node only).`,
  );
}

/** The first answer tells the size and the version. */
async function openFromHub(
  { directory, name, signal, observer }: OpenFileRequest,
  origin: HttpOrigin,
  tries: number,
  tools: FillTools,
): Promise<SparseFile> {
  const { io, logger } = tools;
  const patience = new Patience(shownUrl(origin.file.url), io, (reason) => logger.debug({ file: name }, reason), tries);
  const asking = { tools, patience, signal };
  const { identity, bytes, range } = await openOriginStream(origin, { begin: 0, end: BLOCK_BYTES }, asking);
  const sparse = await SparseFile.open(join(directory, name), identity, io);
  try {
    for await (const { block, data } of cutIntoBlocks(bytes, range, (count) => observer.onBytes(HUB, count))) {
      await sparse.write(block, data, sha256(data));
    }
    return sparse;
  } catch (thrown) {
    await sparse.close();
    throw thrown;
  }
}

/** The hub's word counts for the header; without the hub it is one peer's, to which the other peers are held. */
async function fillHeader(
  { signal, observer, offers, index }: OpenFileRequest,
  file: SparseFile,
  hub: HttpOrigin | null,
  blocks: readonly number[],
  tools: FillTools,
): Promise<void> {
  const header = offers.map(({ files }) => files[index]?.header).find((mark) => mark !== undefined);
  const peers = hub !== null || header === undefined ? [] : fillPeers(offers, index, { ...file.identity, header });
  await new BlockFill({ file, blocks, origin: hub, peers, signal, observer }, tools).run();
}
