import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { ExoError } from "../../core/errors.js";
import { makeDirectory } from "../download.js";
import { hashFile } from "../file-hash.js";
import { withFileLock } from "../file-lock.js";
import { type GgufInfo, readGgufInfo } from "../gguf-info.js";
import { type Manifest, readManifest, type StoredFile, writeManifest } from "../manifest.js";
import type { ModelPart } from "../memory-estimate.js";
import { dropEmptyEntry, readEntry } from "../model-cache.js";
import type { PinnedSource } from "../pinned-source.js";
import type { ProgressListener } from "../progress.js";
import { readPublishedProgress, SharedProgress } from "../shared-progress.js";
import { CheckedBlocks } from "../sparse/checked-blocks.js";
import type { FillTools } from "../sparse/fill-blocks.js";
import { RangesIgnored, SourceChanged } from "../sparse/http-ranges.js";
import { modelHash } from "../sparse/model-hash.js";
import { rangeMapPath, readRangeMap } from "../sparse/range-map.js";
import { SparseFile } from "../sparse/sparse-file.js";
import { DownloadReport } from "./download-report.js";
import { DamagedHere } from "./open-file.js";
import { OpenModel, type OpenModelRequest, otherModel } from "./open-model.js";
import type { PeerOffer } from "./peer-offers.js";
import type { RangedSources } from "./sources.js";

/** A model in a directory of the cache, of which parts may be here. */
export interface PartTarget {
  readonly directory: string;
  readonly id: string;
  /** As the manifest calls it. */
  readonly spec: string;
  /** The spec that it was asked for by, where that is another one. */
  readonly alias: string | null;
  /** `null`: only peers have it. */
  readonly pinned: PinnedSource | null;
  /** Of the whole, where it is known beside what the source says of its files. */
  readonly sha256: string | null;
}

/** How much of a model has to be here. */
export type Wanted = ModelPart | "header" | "whole";

export function isPart(wanted: Wanted): wanted is ModelPart {
  return wanted !== "whole" && wanted !== "header";
}

export interface SupplyOptions {
  /** Asked when something is missing. */
  readonly askPeers: (signal: AbortSignal) => Promise<readonly PeerOffer[]>;
  readonly hash: string | null;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}

export interface Supplied {
  readonly path: string;
  readonly hash: string;
  readonly info: GgufInfo;
}

/** Brings parts of models into the cache: what is missing, and nothing else. */
export class PartStore {
  readonly #sources: RangedSources;
  readonly #tools: FillTools;
  readonly #checked = new CheckedBlocks();

  constructor(sources: RangedSources, tools: FillTools) {
    this.#sources = sources;
    this.#tools = tools;
  }

  /** Throws `RangesIgnored` where the server sends whole files only. */
  async supply(target: PartTarget, wanted: Wanted, options: SupplyOptions): Promise<Supplied> {
    const { directory } = target;
    // Whoever has all that he needs does not wait for another process that fetches more of the model.
    const here = (await isKnownAs(target)) ? await this.#here(target, wanted, options).catch(() => null) : null;
    if (here !== null) return here;
    const onWait = async (): Promise<void> => {
      const progress = await readPublishedProgress(directory);
      if (progress !== null) options.onProgress(progress);
    };
    await makeDirectory(directory);
    return withFileLock(directory, { signal: options.signal, onWait, sleep: this.#tools.io.sleep }, async (signal) => {
      await makeDirectory(directory);
      const shared = new SharedProgress(directory);
      const onProgress: ProgressListener = (progress) => {
        options.onProgress(progress);
        shared.publish(progress);
      };
      let keeps = false;
      try {
        return await this.#supplyLocked(target, wanted, { ...options, signal, onProgress });
      } catch (thrown) {
        // What is fetched whole then goes by the same manifest.
        keeps = thrown instanceof RangesIgnored;
        throw thrown;
      } finally {
        await shared.withdraw();
        if (!keeps) await dropEmptyEntry(directory);
      }
    });
  }

  async #supplyLocked(target: PartTarget, wanted: Wanted, options: SupplyOptions): Promise<Supplied> {
    const manifest = await this.#manifest(target);
    const here = await this.#here(target, wanted, options);
    if (here !== null) return here;
    const request = await this.#request(target, options);
    const fetch = (): Promise<Supplied> => this.#fetch(request, wanted, manifest, target);
    const unlessChanged = (thrown: unknown): null => {
      if (thrown instanceof SourceChanged) return null;
      throw thrown;
    };
    // Twice, for what is here may have taken hours to fetch, and one odd answer is no proof.
    const supplied = (await fetch().catch(unlessChanged)) ?? (await fetch().catch(unlessChanged));
    if (supplied !== null) return supplied;
    this.#tools.logger.warn({ model: target.id }, "The model changed at its source; fetching it anew");
    await discardParts(target.directory);
    return fetch().catch(refuseChanging(target.spec));
  }

  /** The header names the model; what it was asked for by is kept beside it. */
  async #manifest({ directory, id, spec, alias, pinned }: PartTarget): Promise<Manifest> {
    const known = await readManifest(directory);
    const aliases = [...new Set([...(known?.aliases ?? []), ...(alias === null || alias === spec ? [] : [alias])])];
    const base = known ?? { spec, id, aliases: [], source: null, completedAt: null, files: [] };
    const manifest = { ...base, aliases, source: pinned ?? base.source };
    if (JSON.stringify(manifest) !== JSON.stringify(known)) await writeManifest(directory, manifest);
    return manifest;
  }

  /** Without asking anybody, when everything is on the disk. */
  async #here(target: PartTarget, wanted: Wanted, options: SupplyOptions): Promise<Supplied | null> {
    const entry = await readEntry(target.directory).catch(() => null);
    if (entry?.complete === true) return describeComplete(target, entry.manifest, options.hash);
    if (wanted === "whole" || entry === null || !(await hasHeaders(target))) return null;
    const request = { ...(await this.#base(target, options)), origin: null, offers: [], mends: false };
    const model = await OpenModel.open(request, this.#tools).catch((thrown: unknown) => {
      if (thrown instanceof SourceChanged || thrown instanceof DamagedHere) return null;
      throw thrown;
    });
    if (model === null) return null;
    try {
      return wanted === "header" || (await model.holds(wanted)) ? describe(model) : null;
    } finally {
      await model.close();
    }
  }

  async #base({ directory, id, pinned }: PartTarget, { hash, signal, onProgress }: SupplyOptions) {
    const names = pinned === null ? await partNames(directory) : [];
    const report = new DownloadReport(this.#tools.io.clock, onProgress);
    return { directory, id, pinned, names, hash, signal, report, checked: this.#checked };
  }

  async #request(target: PartTarget, options: SupplyOptions): Promise<OpenModelRequest> {
    const origin = this.#sources.origin.bind(this.#sources);
    const base = await this.#base(target, options);
    return { ...base, origin, offers: await options.askPeers(options.signal), mends: true };
  }

  async #fetch(request: OpenModelRequest, wanted: Wanted, manifest: Manifest, target: PartTarget): Promise<Supplied> {
    const model = await OpenModel.open(request, this.#tools);
    try {
      if (wanted !== "header") await model.fill(wanted === "whole" ? null : wanted);
      if (model.complete) await this.#complete(model, request, manifest, target);
      return describe(model);
    } finally {
      await model.close();
    }
  }

  /** All of it is here: from now on it counts as fetched whole, if it is what its source promised. */
  async #complete(model: OpenModel, request: OpenModelRequest, manifest: Manifest, target: PartTarget): Promise<void> {
    const total = model.files.reduce((sum, { sparse }) => sum + sparse.identity.bytes, 0);
    request.report.beginVerifying(total);
    const files: StoredFile[] = [];
    for (const { sparse, origin } of model.files) {
      await sparse.save();
      const onBytes = (count: number): void => request.report.verifying(count);
      const sha256 = await hashFile(sparse.path, "sha256", "hex", { signal: request.signal, onBytes });
      const promised = origin?.file.sha256 ?? (model.files.length === 1 ? target.sha256 : null);
      if (promised !== null && promised !== sha256) throw await this.#refuse(model, promised, sha256);
      files.push({ name: basename(sparse.path), bytes: sparse.identity.bytes, sha256 });
    }
    request.report.end("verifying");
    const completedAt = new Date(this.#tools.io.clock.wall()).toISOString();
    await writeManifest(target.directory, { ...manifest, completedAt, files });
  }

  async #refuse(model: OpenModel, promised: string, actual: string): Promise<ExoError> {
    model.forgetAll();
    await Promise.all(model.files.map(({ sparse }) => sparse.save()));
    return new ExoError(
      "download_failed",
      `What came is not the model that was promised: sha256 ${actual}, expected ${promised}. It is not used; try again.`,
    );
  }
}

/** Whether the manifest has the spec that the model was asked for by. */
async function isKnownAs({ directory, spec, alias }: PartTarget): Promise<boolean> {
  if (alias === null || alias === spec) return true;
  return (await readManifest(directory))?.aliases.includes(alias) ?? false;
}

async function describeComplete(
  { directory, id }: PartTarget,
  { files }: Manifest,
  hash: string | null,
): Promise<Supplied> {
  const paths = files.map(({ name }) => join(directory, name));
  const found = await modelHash(paths);
  if (hash !== null && hash !== found) throw new ExoError("invalid_model", otherModel(id));
  return { path: paths[0] ?? "", hash: found, info: await readGgufInfo(paths[0] ?? "") };
}

function describe(model: OpenModel): Supplied {
  return { path: model.path, hash: model.hash, info: model.info };
}

async function hasHeaders({ directory, pinned }: PartTarget): Promise<boolean> {
  const names = pinned?.files.map(({ name }) => name) ?? (await partNames(directory));
  const maps = await Promise.all(names.map((name) => readRangeMap(join(directory, name))));
  return maps.length > 0 && maps.every((map) => map !== null && map.header !== null);
}

async function partNames(directory: string): Promise<readonly string[]> {
  const ending = rangeMapPath("");
  const names = await readdir(directory);
  return names
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length))
    .sort();
}

/** Removes every file of which only parts may be here. */
export async function discardParts(directory: string): Promise<void> {
  for (const name of await partNames(directory)) await SparseFile.discard(join(directory, name));
}

function refuseChanging(spec: string) {
  return (thrown: unknown): never => {
    if (!(thrown instanceof SourceChanged)) throw thrown;
    if (thrown.message !== "") throw new ExoError("invalid_model", thrown.message);
    throw new ExoError(
      "download_failed",
      `${spec} cannot be fetched: the file changes at its source while it is fetched.`,
    );
  };
}
