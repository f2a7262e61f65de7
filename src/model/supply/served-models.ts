import { join } from "node:path";
import { ExoError } from "../../core/errors.js";
import { type Logger, silentLogger } from "../../core/ports.js";
import { modelPartPaths } from "../gguf-info.js";
import type { CacheEntry } from "../model-cache.js";
import type { RateLimiter } from "../rate-limit.js";
import type { BlockRun } from "../sparse/blocks.js";
import type { OfferedFile } from "../sparse/range-source.js";
import { parseModelSpec } from "../spec.js";
import type { VerifyResult } from "../verify-model.js";
import { DoubtedModels } from "./doubted-models.js";
import { ServedFile } from "./served-file.js";

export interface ServedModelsOptions {
  readonly store: {
    cached(name: string): Promise<CacheEntry | null>;
    servesPath(path: string): boolean;
    verify(name: string): Promise<VerifyResult>;
  };
  /** What peers may read together. */
  readonly limiter: RateLimiter;
  readonly logger?: Logger;
}

/** One answer to a peer is at most this long; it asks again for more. */
export const MOST_BYTES_READ = 64 * 2 ** 20;
const MOST_BLOCKS_HASHED = 256;
/** Peers' reads at the same time; more are asked to come again. */
const MOST_READERS = 32;
const PIECE_BYTES = 256 * 1024;
/** Files that are remembered; the oldest go first. */
const MOST_FILES = 4096;

/**
 * What peers may have of this node's models: those in the cache, and files that its owner named. Peers name files by ids
 * that they were given with an offer, never by paths.
 */
export class ServedModels {
  readonly #options: ServedModelsOptions;
  readonly #files = new Map<string, ServedFile>();
  readonly #doubted: DoubtedModels;
  #readers = 0;

  constructor(options: ServedModelsOptions) {
    this.#options = options;
    this.#doubted = new DoubtedModels((spec) => options.store.verify(spec), options.logger ?? silentLogger);
  }

  /** The files of a model in order; none when it is not here. */
  async offer(spec: string): Promise<readonly OfferedFile[]> {
    const files = await this.#filesOf(spec);
    if (files.some((file) => this.#doubted.isDamaged(file))) return [];
    for (const file of files) this.#keep(file);
    return files.map(({ offer }) => offer);
  }

  /** @param doubted a peer got other bytes of these blocks, so that this node has to look at its disk */
  async hashes(fileId: string, run: BlockRun, signal: AbortSignal, doubted = false): Promise<readonly Buffer[]> {
    if (run.count < 1 || run.count > MOST_BLOCKS_HASHED) {
      throw new ExoError("invalid_argument", `Expected 1 to ${MOST_BLOCKS_HASHED} blocks, received ${run.count}.`);
    }
    return this.#serving(async () => {
      const file = this.#file(fileId);
      if (doubted) await this.#doubted.look(file, run, signal);
      return file.hashes(run, signal);
    });
  }

  async *read(
    fileId: string,
    begin: number,
    end: number,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void, undefined> {
    if (end - begin > MOST_BYTES_READ) {
      throw new ExoError("invalid_argument", `Expected at most ${MOST_BYTES_READ} bytes, received ${end - begin}.`);
    }
    const file = this.#file(fileId);
    this.#begin();
    try {
      for await (const piece of file.read(begin, end, PIECE_BYTES)) {
        await this.#options.limiter.take(piece.length, signal);
        if (signal.aborted) return;
        yield piece;
      }
    } finally {
      this.#readers -= 1;
    }
  }

  async #serving<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#begin();
    try {
      return await work();
    } finally {
      this.#readers -= 1;
    }
  }

  #begin(): void {
    if (this.#readers >= MOST_READERS) {
      throw new ExoError("overloaded", `${MOST_READERS} reads of models are under way here already; try again.`);
    }
    this.#readers += 1;
  }

  #file(id: string): ServedFile {
    const file = this.#files.get(id);
    if (file === undefined) throw new ExoError("model_not_found", "This node does not offer such a file (any more).");
    return file;
  }

  #keep(file: ServedFile): void {
    this.#files.delete(file.offer.id);
    this.#files.set(file.offer.id, file);
    const [oldest] = this.#files.keys();
    if (this.#files.size > MOST_FILES && oldest !== undefined) this.#files.delete(oldest);
  }

  async #filesOf(text: string): Promise<readonly ServedFile[]> {
    const spec = parseModelSpec(text);
    if (spec.kind === "path" && this.#options.store.servesPath(spec.path)) {
      return Promise.all(modelPartPaths(spec.path).map((path) => this.#whole(path, null)));
    }
    const entry = await this.#options.store.cached(text);
    if (entry === null) return [];
    const { directory, manifest, complete, partial } = entry;
    const { spec: cached, files: stored } = manifest;
    if (complete)
      return Promise.all(stored.map(({ name, sha256 }) => this.#whole(join(directory, name), sha256, cached)));
    const parts = [...partial].sort(([a], [b]) => (a < b ? -1 : 1));
    const files = parts.map(
      ([name, map]) => map.header && ServedFile.part(join(directory, name), map, map.header, cached),
    );
    const known = files.filter((file) => file !== null);
    // Peers take a model's files by their order, so all must be there.
    return known.length === parts.length && known.length === (manifest.source?.files.length ?? known.length)
      ? known
      : [];
  }

  /** The one that is known goes on, with the hashes that it has read. */
  async #whole(path: string, sha256: string | null, spec: string | null = null): Promise<ServedFile> {
    const file = await ServedFile.whole(path, sha256, spec);
    return this.#files.get(file.offer.id) ?? file;
  }
}
