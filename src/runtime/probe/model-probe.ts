import { BoundedMap } from "../../core/bounded-map.js";
import { ExoError } from "../../core/errors.js";
import type { Clock, Logger } from "../../core/ports.js";
import type { ModelSpeed } from "../../planning/speeds.js";
import type { ProbeModelRequest } from "../../transport/node-service.js";
import type { ComputedPass } from "../pass-log.js";
import type { ComputeSettings } from "../stage-settings.js";
import { bestOf } from "./best-speed.js";
import { corrected, NO_CORRECTION, nextCorrection } from "./correction.js";
import type { DeviceProbeOptions, ProbedSpeed } from "./device-probe.js";
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
  readonly probe: (options: DeviceProbeOptions) => Promise<ProbedSpeed>;
  readonly cache: SpeedCache;
  readonly quiet: Quiet;
  /** Resolves when the links to nodes that have come are measured, which would be disturbed, and of which a plan asks too. */
  readonly linksSettled: (signal: AbortSignal) => Promise<void>;
  readonly directory: string;
  /** See `uncachedBytes`. */
  readonly cacheBytes: () => Promise<number>;
  /** Names of the processors. */
  readonly processor: string;
  readonly llamaCommit: string;
  /** Aborted when the node stops. */
  readonly lifetime: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a stage of some ring did lately. */
export interface StageUse {
  readonly part: StagePart;
  readonly request: Omit<ProbeModelRequest, "cores">;
  readonly threads: number;
  readonly batchThreads: number;
  readonly passes: readonly ComputedPass[];
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
/** A disturbed measurement is made again when it is asked for after so long; twice as long after each that was disturbed too. */
const AGAIN_MS = 60_000;
const MOST_AGAIN_MS = 3_600_000;

/** Models, each with its settings; the rest is read from the disk again. */
const MOST_KEPT = 256;

/** What the parts of models take on this node: measured once, kept, and corrected by what real requests show. */
export class ModelProbe {
  readonly #options: ModelProbeOptions;
  /** As read or written last, by `idOf`. */
  readonly #entries = new BoundedMap<string, SpeedEntry>(MOST_KEPT);
  /** Hashes of the models that were asked for, by spec. */
  readonly #hashes = new BoundedMap<string, string>(MOST_KEPT);
  /** Settles when the probes asked for so far are done: there is one at a time. */
  #busy: Promise<unknown> = Promise.resolve();
  #probing = false;
  /** Ids of what is measured again in the background. */
  readonly #again = new Set<string>();

  constructor(options: ModelProbeOptions) {
    this.#options = options;
  }

  /** Something is being measured now. */
  get probing(): boolean {
    return this.#probing;
  }

  /**
   * At once when it is known; what was disturbed is then measured again in the background. Else measured when the node is
   * idle. Rejects `not_ready` when it is not, `out_of_memory` when
   * not even one layer fits, and as the model's header does.
   */
  async speed(request: ProbeModelRequest, signal: AbortSignal): Promise<ModelSpeed> {
    const model = await this.#options.header(request.model, signal);
    this.#hashes.set(request.model, model.hash);
    await this.#options.linksSettled(signal);
    const settings = settingsOf(request, this.#options.compute(request.cores));
    const id = this.#idOf(model.hash, settings);
    const known = await this.#known(id);
    const task = { id, request, model, settings };
    if (known !== null && request.refresh !== true) {
      if (this.#isDue(known) && !this.#options.quiet.busy) this.#measureAgain(task);
      return corrected(known.speed, known.correction);
    }
    const entry = await this.#inTurn(() => this.#measured({ ...task, signal }));
    return corrected(entry.speed, entry.correction);
  }

  /** Who asked has an answer; whoever asks later gets a better one. */
  #measureAgain(task: Omit<ProbeTask, "signal">): void {
    const { lifetime: signal, logger } = this.#options;
    if (this.#again.has(task.id)) return;
    this.#again.add(task.id);
    void this.#inTurn(() => this.#measured({ ...task, signal }))
      .catch((thrown: unknown) => {
        logger.debug({ error: ExoError.from(thrown).message }, "a measurement could not be made again");
      })
      .finally(() => this.#again.delete(task.id));
  }

  /** Resolves when no probe is under way or waits. */
  async idle(): Promise<void> {
    await this.#busy;
  }

  /**
   * Learns from what stages took. Models that nobody asked about are left alone.
   *
   * @param sharesCores other nodes of this machine compute on the same cores: then what a prompt takes here depends on what
   * they do at that moment, and tells nothing of another ring
   */
  async learn(uses: readonly StageUse[], sharesCores: boolean): Promise<void> {
    for (const use of uses) {
      const { part, request, threads, batchThreads, passes } = use;
      const hash = this.#hashes.get(request.model);
      if (hash === undefined) continue;
      const compute = { ...this.#options.compute(0), threads, batchThreads };
      const id = this.#idOf(hash, settingsOf(request, compute));
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      const seen = observe(entry.speed, entry.correction, part, passes).filter(({ isFew }) => isFew || !sharesCores);
      if (seen.length === 0) continue;
      const correction = seen.reduce(nextCorrection, entry.correction);
      this.#options.logger.debug({ model: request.model, part, seen, correction }, "learned from what a stage took");
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

  /** It was disturbed, and not just now. */
  #isDue({ disturbed, measuredAt }: SpeedEntry): boolean {
    if (disturbed === 0) return false;
    const wait = Math.min(MOST_AGAIN_MS, AGAIN_MS * 2 ** (disturbed - 1));
    const age = this.#options.clock.wall() - Date.parse(measuredAt);
    // A clock that was set back must not keep it for ever.
    return !(age >= 0 && age < wait);
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.#busy.then(work);
    this.#busy = mine.catch(() => {});
    return mine;
  }

  async #measured({ id, request, model, settings, signal }: ProbeTask): Promise<SpeedEntry> {
    const { refresh = false } = request;
    // Whoever was before may have asked for the same.
    const known = await this.#known(id);
    if (known !== null && !refresh && !this.#isDue(known)) return known;
    const { clock, logger } = this.#options;
    const begun = clock.monotonic();
    const { speed, disturbed } = await this.#probe(model, settings, signal);
    const seconds = (clock.monotonic() - begun) / 1000;
    const told = { model: request.model, threads: settings.threads, kinds: speed.kinds.length, seconds, disturbed };
    logger.info(told, "measured");
    const before = disturbed && !refresh ? known : null;
    const entry = {
      measuredAt: new Date(clock.wall()).toISOString(),
      speed: before === null ? speed : bestOf(before.speed, speed),
      disturbed: disturbed ? (known?.disturbed ?? 0) + 1 : 0,
      correction: before?.correction ?? NO_CORRECTION,
    };
    await this.#keep(id, entry);
    return entry;
  }

  async #probe(model: ProbeModel, settings: ProbeSettings, signal: AbortSignal): Promise<ProbedSpeed> {
    const { quiet } = this.#options;
    for (let tries = 1; ; tries += 1) {
      await quiet.wait(signal);
      try {
        return await this.#probeNow(model, settings, signal);
      } catch (thrown) {
        if (ExoError.from(thrown).code !== "not_ready" || tries === TRIES) throw thrown;
      }
    }
  }

  /** Makes way, with `not_ready`, as soon as the node has something else to do. */
  async #probeNow(model: ProbeModel, settings: ProbeSettings, signal: AbortSignal): Promise<ProbedSpeed> {
    const { quiet, probe, directory, cacheBytes, memory, clock } = this.#options;
    const isQuiet = quiet.watch();
    const checkpoint = (): void => {
      if (!isQuiet()) throw answering();
    };
    this.#probing = true;
    try {
      const enough = await cacheBytes();
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
    } finally {
      this.#probing = false;
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
