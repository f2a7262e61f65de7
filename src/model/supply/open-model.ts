import { checkDiskSpace } from "../disk-space.js";
import { type GgufInfo, readGgufInfo } from "../gguf-info.js";
import type { ModelPart } from "../memory-estimate.js";
import type { PinnedFile, PinnedSource } from "../pinned-source.js";
import { blockCount, blocksOf, bytesOfBlocks } from "../sparse/blocks.js";
import type { CheckedBlocks } from "../sparse/checked-blocks.js";
import { BlockFill, type FillTools } from "../sparse/fill-blocks.js";
import { type HttpOrigin, SourceChanged } from "../sparse/http-ranges.js";
import { joinHashes } from "../sparse/model-hash.js";
import { partRanges } from "../sparse/part-ranges.js";
import type { DownloadReport } from "./download-report.js";
import { type OpenFile, openModelFile } from "./open-file.js";
import { offersOf, type PeerOffer } from "./peer-offers.js";

export interface OpenModelRequest {
  readonly directory: string;
  /** The API's name of the model, for files that only peers have. */
  readonly id: string;
  /** `null`: only peers have it. */
  readonly pinned: PinnedSource | null;
  /** Of the files that are here, where the source does not tell them. */
  readonly names: readonly string[];
  /** `null`: not to be asked. */
  readonly origin: ((file: PinnedFile) => HttpOrigin | null) | null;
  readonly offers: readonly PeerOffer[];
  /** `ModelHeader.hash` of the model that is meant, or `null`: whichever it is. */
  readonly hash: string | null;
  readonly signal: AbortSignal;
  readonly report: DownloadReport;
  readonly checked: CheckedBlocks;
  /** As in `OpenFileRequest`. */
  readonly mends: boolean;
}

/** A model of which the headers are here; the rest is fetched as it is needed. */
export class OpenModel {
  readonly files: readonly OpenFile[];
  readonly info: GgufInfo;
  readonly hash: string;
  readonly #request: OpenModelRequest;
  readonly #tools: FillTools;

  private constructor(files: readonly OpenFile[], info: GgufInfo, request: OpenModelRequest, tools: FillTools) {
    this.files = files;
    this.info = info;
    this.hash = hashOf(files);
    this.#request = request;
    this.#tools = tools;
  }

  static async open(request: OpenModelRequest, tools: FillTools): Promise<OpenModel> {
    const files: OpenFile[] = [];
    const { directory, signal, report: observer, checked, mends } = request;
    try {
      for (const file of plannedFiles(request)) {
        files.push(await openModelFile({ directory, signal, observer, checked, mends, ...file }, tools));
      }
      requireHash(files, request);
      const info = await readGgufInfo(files[0]?.sparse.path ?? request.directory);
      return new OpenModel(files, info, request, tools);
    } catch (thrown) {
      await closeAll(files);
      throw thrown;
    }
  }

  /** Every block of every file is here. */
  get complete(): boolean {
    return this.files.every(({ sparse }) => sparse.complete);
  }

  get path(): string {
    return this.files[0]?.sparse.path ?? "";
  }

  /** What is not here of a part. */
  missingBytes(part: ModelPart): number {
    return sum(this.files, (file) =>
      bytesOfBlocks(file.sparse.missing(this.#blocks(file, part)), file.sparse.identity.bytes),
    );
  }

  /** Whether all of a part is here, and still what came. */
  async holds(part: ModelPart): Promise<boolean> {
    if (this.missingBytes(part) > 0) return false;
    const { checked, signal } = this.#request;
    for (const file of this.files) {
      if ((await checked.damaged(file.sparse, this.#blocks(file, part), signal)).length > 0) return false;
    }
    return true;
  }

  /** Fetches what is missing or damaged of a part; `null`: of the whole. */
  async fill(part: ModelPart | null): Promise<void> {
    const { signal, report, directory, checked } = this.#request;
    const wanted = this.files.map((file) => ({ file, blocks: this.#blocks(file, part) }));
    for (const { file, blocks } of wanted) {
      await checked.forgetDamaged(file.sparse, blocks, signal, this.#tools.logger);
    }
    const total = sum(wanted, ({ file, blocks }) => bytesOfBlocks(blocks, file.sparse.identity.bytes));
    const missing = sum(wanted, ({ file, blocks }) =>
      bytesOfBlocks(file.sparse.missing(blocks), file.sparse.identity.bytes),
    );
    report.begin(total - missing, total);
    if (missing === 0) return;
    const what = part === null ? this.#request.id : `This node's part of ${this.#request.id}`;
    await checkDiskSpace(what, missing, directory, this.#tools.io);
    for (const { file, blocks } of wanted) {
      const { sparse, origin, peers } = file;
      const request = { file: sparse, blocks: sparse.missing(blocks), origin, peers, signal, observer: report };
      if (request.blocks.length === 0) continue;
      await checked.whileWriting(sparse, blocks, () => new BlockFill(request, this.#tools).run());
    }
    report.end();
  }

  /** From here on these count as missing. */
  forgetAll(): void {
    for (const { sparse } of this.files) sparse.forget(sparse.blocks());
  }

  async close(): Promise<void> {
    await closeAll(this.files);
  }

  #blocks({ header, sparse }: OpenFile, part: ModelPart | null): readonly number[] {
    const { bytes } = sparse.identity;
    if (part === null) return Array.from({ length: blockCount(bytes) }, (_, block) => block);
    return blocksOf(partRanges(header, bytes, part, this.info));
  }
}

function plannedFiles({ id, pinned, names, origin, offers, hash }: OpenModelRequest) {
  const usable = hash === null ? offers : offersOf(offers, hash);
  const count = pinned?.files.length ?? usable[0]?.files.length ?? Math.max(1, names.length);
  return Array.from({ length: count }, (_, index) => {
    const file = pinned?.files[index] ?? null;
    return {
      index,
      name: file?.name ?? names[index] ?? nameOf(id, index, count),
      pinned: file,
      origin: file === null || origin === null ? null : origin(file),
      offers: usable,
    };
  });
}

function nameOf(id: string, index: number, count: number): string {
  const number = (part: number): string => String(part).padStart(5, "0");
  return count === 1 ? `${id}.gguf` : `${id}-${number(index + 1)}-of-${number(count)}.gguf`;
}

function requireHash(files: readonly OpenFile[], { id, hash }: OpenModelRequest): void {
  if (hash !== null && hashOf(files) !== hash) throw new SourceChanged(otherModel(id));
}

/** What is wrong when two nodes mean different files by one spec. */
export function otherModel(id: string): string {
  return `The ${id} that is to be had here is another file than the one that the ring's head has. Name its revision, or remove the one that is out of date with "exo-native models rm ${id}".`;
}

function hashOf(files: readonly OpenFile[]): string {
  return joinHashes(files.map(({ mark }) => mark.sha256));
}

async function closeAll(files: readonly OpenFile[]): Promise<void> {
  await Promise.all(files.map(({ sparse }) => sparse.close()));
}

function sum<Item>(items: readonly Item[], amount: (item: Item) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}
