import type { Member } from "../cluster/membership.js";
import type { DownloadRecord } from "../cluster/model-records.js";
import type { NodeRecord } from "../cluster/node-record.js";
import type { HostPort } from "../config/address.js";
import type { Config } from "../config/config.js";
import type { Service } from "../core/lifecycle.js";
import type { Logger } from "../core/ports.js";
import { type DownloadIo, systemDownloadIo } from "../model/download-io.js";
import { hubSettings } from "../model/hub/hub-settings.js";
import type { ModelPart } from "../model/memory-estimate.js";
import type { CachedModel } from "../model/model-cache.js";
import { type ModelDescription, ModelDescriptions } from "../model/model-descriptions.js";
import { ModelInventory } from "../model/model-inventory.js";
import { ModelStore } from "../model/model-store.js";
import { hostKeyOf } from "../model/private-addresses/guarded-connector.js";
import { guardedDownloadIo, vouchedFor } from "../model/private-addresses/guarded-io.js";
import { RateLimiter } from "../model/rate-limit.js";
import type { ModelHeader, ResolvedModel, ResolveOptions } from "../model/resolved-model.js";
import type { DownloadState } from "../model/supply/downloads.js";
import { ServedModels } from "../model/supply/served-models.js";
import { type ModelPeerClient, PeerRanges } from "./peer-ranges.js";

export interface ModelSupplyOptions {
  readonly config: Pick<
    Config,
    "paths" | "open" | "downloadLimit" | "uploadLimit" | "allowPrivateDownloads" | "model" | "pin" | "draftModel"
  >;
  /** The other nodes that are there now. */
  readonly members: () => readonly Pick<Member, "name" | "address">[];
  readonly connect: (address: HostPort) => ModelPeerClient;
  readonly logger: Logger;
}

/** The cache of other processes is looked through this often. */
const INVENTORY_MS = 30_000;
/** Peers ask twice a second. */
const MOST_MODELS_TOLD = 256;
/** What a record may hold. */
const MOST_DOWNLOADS_TOLD = 256;

/** The models of this machine and, where it lacks them, of the other nodes; and what these may have of them. */
export class ModelSupply implements Service {
  readonly name = "model supply";
  readonly served: ServedModels;
  readonly #options: ModelSupplyOptions;
  readonly #store: ModelStore;
  readonly #inventory: ModelInventory;
  readonly #descriptions: ModelDescriptions;

  constructor(options: ModelSupplyOptions) {
    const { config, logger } = options;
    this.#options = options;
    this.#store = new ModelStore({
      modelsDir: config.paths.modelsDir,
      downloadLimit: config.downloadLimit,
      io: downloadIo(config),
      logger,
    });
    this.#inventory = new ModelInventory({ store: this.#store, logger, everyMs: INVENTORY_MS });
    this.#descriptions = new ModelDescriptions(this.#store);
    const limiter = new RateLimiter(config.uploadLimit, systemDownloadIo);
    this.served = new ServedModels({ store: this.#store, limiter, logger });
  }

  start(): Promise<void> {
    return this.#inventory.start();
  }

  stop(): Promise<void> {
    return this.#inventory.stop();
  }

  /** What this node says of its models. */
  records(): Pick<NodeRecord, "models" | "downloads"> {
    return {
      models: this.#inventory
        .models()
        .slice(0, MOST_MODELS_TOLD)
        .map((model) => ({ ...model })),
      downloads: this.#store.downloads().slice(0, MOST_DOWNLOADS_TOLD).map(toRecord),
    };
  }

  resolve(spec: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
    return this.#withPeers((peers) => this.#store.resolve(spec, { ...options, peers }));
  }

  header(spec: string, options: ResolveOptions = {}): Promise<ModelHeader> {
    return this.#withPeers((peers) => this.#store.header(spec, { ...options, peers }));
  }

  /** What the files of a model say, where they are on this machine; `null`: they are not. */
  describe(name: string): Promise<ModelDescription | null> {
    return this.#descriptions.find(name);
  }

  /** Takes a model out of the cache, by id or spec. Stages that have it loaded keep it until they end. */
  async remove(name: string): Promise<CachedModel> {
    const removed = await this.#store.remove(name);
    await this.#inventory.refresh();
    return removed;
  }

  resolvePart(spec: string, part: ModelPart, options: ResolveOptions = {}): Promise<ResolvedModel> {
    return this.#withPeers((peers) => this.#store.resolvePart(spec, part, { ...options, peers }));
  }

  /**
   * For heads elsewhere. The node that was asked for the model has seen to where it comes from; in an open cluster, where
   * anybody may be a head, its word is not taken.
   */
  forHeads(): Pick<ModelSupply, "resolvePart"> {
    if (this.#options.config.open) return this;
    return { resolvePart: (...asked) => vouchedFor(() => this.resolvePart(...asked)) };
  }

  async #withPeers<Result>(work: (peers: readonly PeerRanges[]) => Promise<Result>): Promise<Result> {
    const { members, connect } = this.#options;
    const peers = members().map(({ name, address }) => new PeerRanges(name, () => connect(address)));
    try {
      return await work(peers);
    } finally {
      for (const peer of peers) peer.close();
    }
  }
}

/** Who asks is known no more when something is fetched, so what the owner named is told by where it is. */
function downloadIo({ allowPrivateDownloads, model, pin, draftModel }: ModelSupplyOptions["config"]): DownloadIo {
  if (allowPrivateDownloads) return systemDownloadIo;
  const named = [model, draftModel, ...pin, hubSettings(process.env).endpoint].flatMap((text) => text ?? []);
  const urls = named.filter((text) => /^https?:/i.test(text) && URL.canParse(text));
  return guardedDownloadIo({ allowed: new Set(urls.map((url) => hostKeyOf(new URL(url)))) });
}

function toRecord({
  spec,
  model,
  received,
  total,
  phase,
  bytesPerSecond,
  sources = [],
}: DownloadState): DownloadRecord {
  return { spec, model, received, total, phase, bytesPerSecond, sources: sources.map((source) => ({ ...source })) };
}
