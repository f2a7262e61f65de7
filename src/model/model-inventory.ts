import type { Service } from "../core/lifecycle.js";
import type { Logger } from "../core/ports.js";
import type { CachedModel } from "./model-cache.js";

/** A model on this machine, as its nodes tell each other. */
export interface HeldModel {
  readonly id: string;
  readonly spec: string;
  readonly complete: boolean;
  /** On the disk. */
  readonly bytes: number;
}

export interface ModelInventoryOptions {
  readonly store: {
    list(): Promise<readonly CachedModel[]>;
    onDownloads(listener: () => void): () => void;
  };
  readonly logger: Logger;
  /** Other processes of this machine change the cache too. */
  readonly everyMs: number;
}

/** What is in the cache, at hand at any time: looked up now and then, and when a download begins or ends. */
export class ModelInventory implements Service {
  readonly name = "model inventory";
  readonly #options: ModelInventoryOptions;
  #models: readonly HeldModel[] = [];
  #timer: NodeJS.Timeout | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(options: ModelInventoryOptions) {
    this.#options = options;
  }

  models(): readonly HeldModel[] {
    return this.#models;
  }

  async start(): Promise<void> {
    const { store, everyMs } = this.#options;
    this.#unsubscribe = store.onDownloads(() => void this.refresh());
    this.#timer = setInterval(() => void this.refresh(), everyMs);
    this.#timer.unref();
    await this.refresh();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async refresh(): Promise<void> {
    try {
      const models = await this.#options.store.list();
      this.#models = models.map(({ id, spec, path, bytes }) => ({ id, spec, complete: path !== null, bytes }));
    } catch (thrown) {
      this.#options.logger.debug({ error: String(thrown) }, "the model cache could not be looked through");
    }
  }
}
