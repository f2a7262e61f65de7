import { ExoError } from "../../core/errors.js";
import type { Clock, Logger } from "../../core/ports.js";
import type { ModelSpeed } from "../../planning/speeds.js";
import type { ProbeModelRequest } from "../../transport/node-service.js";
import type { ComputeSettings } from "../stage-settings.js";
import type { RowClassWork } from "../work-by-rows.js";
import { corrected, NO_CORRECTION, nextFactor } from "./correction.js";
import type { DeviceProbeOptions } from "./device-probe.js";
import { observe, type StagePart } from "./predicted-work.js";
import type { ProbeModel } from "./probe-model.js";
import type { ProbeSettings } from "./probe-stages.js";
import { answering, type Quiet } from "./quiet.js";
import { idOf, type SpeedCache, type SpeedEntry } from "./speed-cache.js";

export interface ModelProbeOptions {
  /** Finds a model's header on this machine, or fetches it. */
  readonly header: (spec: string, signal: AbortSignal) => Promise<ProbeModel>;
  /** As a stage of a ring would be computed; see `OwnCompute.settings`. */
  readonly compute: (cores: number) => ComputeSettings;
  /** Bytes that may be used now. */
  readonly memory: () => number;
  readonly probe: (options: DeviceProbeOptions) => Promise<ModelSpeed>;
  readonly cache: SpeedCache;
  readonly quiet: Quiet;
  readonly directory: string;
  /** See `uncachedBytes`. */
  readonly cacheBytes: () => Promise<number>;
  /** Names of the processors. */
  readonly processor: string;
  readonly llamaCommit: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a stage of some ring did lately. */
export interface StageUse {
  readonly part: StagePart;
  readonly request: Omit<ProbeModelRequest, "cores">;
  readonly threads: number;
  readonly batchThreads: number;
  readonly work: readonly RowClassWork[];
}

/** One model to be measured. */
interface ProbeTask {
  /** `idOf` */
  readonly id: string;
  readonly request: ProbeModelRequest;
  readonly model: ProbeModel;
  readonly settings: ProbeSettings;
  readonly signal: AbortSignal;
}

/** A probe that had to make way begins again so often. */
const TRIES = 3;

/** What the parts of models take on this node: measured once, kept, and corrected by what real requests show. */
export class ModelProbe {
  readonly #options: ModelProbeOptions;
  /** As read or written last, by `idOf`. */
  readonly #entries = new Map<string, SpeedEntry>();
  /** Hashes of the models that were asked for, by spec. */
  readonly #hashes = new Map<string, string>();
  /** Settles when the probes asked for so far are done: there is one at a time. */
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: ModelProbeOptions) {
    this.#options = options;
  }

  /**
   * At once when it is known, else measured when the node is idle. Rejects `not_ready` when it is not, `out_of_memory` when
   * not even one layer fits, and as the model's header does.
   */
  async speed(request: ProbeModelRequest, signal: AbortSignal): Promise<ModelSpeed> {
    const model = await this.#options.header(request.model, signal);
    this.#hashes.set(request.model, model.hash);
    const settings = settingsOf(request, this.#options.compute(request.cores));
    const id = this.#idOf(model.hash, settings);
    const known = request.refresh === true ? null : await this.#known(id);
    const entry = known ?? (await this.#inTurn(() => this.#measured({ id, request, model, settings, signal })));
    return corrected(entry.speed, entry.correction);
  }

  /** Resolves when no probe is under way or waits. */
  async idle(): Promise<void> {
    await this.#busy;
  }

  /** Learns from what stages took. Models that nobody asked about are left alone. */
  async learn(uses: readonly StageUse[]): Promise<void> {
    for (const { part, request, threads, batchThreads, work } of uses) {
      const hash = this.#hashes.get(request.model);
      if (hash === undefined) continue;
      const compute = { ...this.#options.compute(0), threads, batchThreads };
      const id = this.#idOf(hash, settingsOf(request, compute));
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      const seen = observe(entry.speed, part, work);
      const correction = {
        few: nextFactor(entry.correction.few, seen.few),
        many: nextFactor(entry.correction.many, seen.many),
      };
      if (correction.few === entry.correction.few && correction.many === entry.correction.many) continue;
      await this.#keep(id, { ...entry, correction });
    }
  }

  #idOf(model: string, settings: ProbeSettings): string {
    const { processor, llamaCommit } = this.#options;
    return idOf({ ...settings, model, processor, llamaCommit });
  }

  async #known(id: string): Promise<SpeedEntry | null> {
    const entry = this.#entries.get(id) ?? (await this.#options.cache.read(id));
    if (entry !== null) this.#entries.set(id, entry);
    return entry;
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.#busy.then(work);
    this.#busy = mine.catch(() => {});
    return mine;
  }

  async #measured({ id, request, model, settings, signal }: ProbeTask): Promise<SpeedEntry> {
    // Whoever was before may have asked for the same.
    const known = request.refresh === true ? null : await this.#known(id);
    if (known !== null) return known;
    const { clock, logger } = this.#options;
    const begun = clock.monotonic();
    const speed = await this.#probe(model, settings, signal);
    const seconds = (clock.monotonic() - begun) / 1000;
    logger.info({ model: request.model, threads: settings.threads, kinds: speed.kinds.length, seconds }, "measured");
    const entry = { measuredAt: new Date(clock.wall()).toISOString(), speed, correction: NO_CORRECTION };
    await this.#keep(id, entry);
    return entry;
  }

  async #probe(model: ProbeModel, settings: ProbeSettings, signal: AbortSignal): Promise<ModelSpeed> {
    const { quiet, probe, directory, cacheBytes, memory, clock } = this.#options;
    const enough = await cacheBytes();
    for (let tries = 1; ; tries += 1) {
      await quiet.wait(signal);
      const isQuiet = quiet.watch();
      const checkpoint = (): void => {
        if (!isQuiet()) throw answering();
      };
      try {
        return await probe({
          model,
          settings,
          memory: memory(),
          cacheBytes: enough,
          directory,
          checkpoint,
          clock,
          signal,
        });
      } catch (thrown) {
        if (ExoError.from(thrown).code !== "not_ready" || tries === TRIES) throw thrown;
      }
    }
  }

  /** A disk that takes no more files costs a measurement at the next start. */
  async #keep(id: string, entry: SpeedEntry): Promise<void> {
    this.#entries.set(id, entry);
    await this.#options.cache.write(id, entry).catch((thrown: unknown) => {
      this.#options.logger.debug({ error: ExoError.from(thrown).message }, "a measurement could not be kept");
    });
  }
}

function settingsOf(
  { microBatchSize, kvTypeK, kvTypeV, flashAttention }: Omit<ProbeModelRequest, "cores" | "model">,
  { threads, batchThreads, devices }: ComputeSettings,
): ProbeSettings {
  return { threads, batchThreads, devices, microBatchSize, kvTypeK, kvTypeV, flashAttention };
}
