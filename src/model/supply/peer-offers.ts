import type { Logger } from "../../core/ports.js";
import { blockCount, blocksIn } from "../sparse/blocks.js";
import { FillPeer } from "../sparse/fill-peer.js";
import { joinHashes } from "../sparse/model-hash.js";
import type { FileIdentity, HeaderMark } from "../sparse/range-map.js";
import type { OfferedFile, RangeSource } from "../sparse/range-source.js";

/** What one peer has of a model. */
export interface PeerOffer {
  readonly source: RangeSource;
  readonly files: readonly OfferedFile[];
}

/** Asks every peer. One that does not answer has nothing. */
export async function askPeers(
  peers: readonly RangeSource[],
  spec: string,
  signal: AbortSignal,
  logger: Logger,
): Promise<readonly PeerOffer[]> {
  const offers = await Promise.all(
    peers.map(async (source) => ({
      source,
      files: await source.offer(spec, signal).catch((thrown: unknown) => {
        logger.debug({ peer: source.name, error: String(thrown) }, "a peer did not say what it has of a model");
        return [];
      }),
    })),
  );
  return offers.filter(({ files }) => files.length > 0);
}

/** `ModelHeader.hash` of what the first of them offers. */
export function firstHash(offers: readonly PeerOffer[]): string | null {
  const files = offers[0]?.files;
  return files === undefined ? null : joinHashes(files.map(({ header }) => header.sha256));
}

/** The offers of the model with these headers. */
export function offersOf(offers: readonly PeerOffer[], hash: string): readonly PeerOffer[] {
  return offers.filter(({ files }) => joinHashes(files.map(({ header }) => header.sha256)) === hash);
}

/** Peers that have blocks of the very same file. */
export function fillPeers(
  offers: readonly PeerOffer[],
  index: number,
  file: FileIdentity & { readonly header: HeaderMark },
): readonly FillPeer[] {
  const peers: FillPeer[] = [];
  for (const { source, files } of offers) {
    const offered = files[index];
    if (offered === undefined || !isSameFile(offered, file)) continue;
    const count = blockCount(file.bytes);
    const blocks = [...blocksIn(offered.runs)].filter((block) => block < count);
    peers.push(new FillPeer(source, offered.id, new Set(blocks)));
  }
  return peers;
}

function isSameFile(offered: OfferedFile, file: FileIdentity & { readonly header: HeaderMark }): boolean {
  const sameHeader = offered.header.sha256 === file.header.sha256 && offered.header.bytes === file.header.bytes;
  return offered.bytes === file.bytes && sameHeader && !contradicts(offered.version, file.version);
}

/** Versions told in the same way must be the same; a hash and an ETag cannot be compared. */
function contradicts(one: string | null, other: string | null): boolean {
  if (one === null || other === null || one === other) return false;
  return one.split(":")[0] === other.split(":")[0];
}
