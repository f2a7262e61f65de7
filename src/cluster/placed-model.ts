import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import { pause } from "../core/waiting.js";
import type { ModelProgress } from "../model/progress.js";
import type { ResolvedModel, ResolveOptions } from "../model/resolved-model.js";
import type { Plan } from "../planning/plan.js";
import type { LoadedHead, OpenHead } from "./head-port.js";
import type { Membership } from "./membership.js";
import { NO_WORK, type NodeRecord, type RingRecord, type RingStageRecord } from "./node-record.js";
import { NOTHING_MEASURED, type PredictedSpeed, predictedBy, predictionOf } from "./prediction-record.js";
import { type LoadedRing, loadRing } from "./ring-loader.js";
import { cardOf, computingOf, emptyRingRecord, plannedStageRecord } from "./ring-record.js";
import type { RingSettings } from "./ring-settings.js";

/** A plan, and the settings it was made for. */
export interface Placement {
  readonly plan: Plan;
  readonly ring: RingSettings;
}

export interface PlacedModelOptions<Head extends LoadedHead> {
  readonly ringId: string;
  readonly spec: string;
  readonly minNodes: number;
  /** Nodes, by name or id, without which the model cannot be placed as it was asked. */
  readonly neededNodes: readonly string[];
  readonly self: { readonly id: string; readonly name: string };
  /** What this node says of itself now. */
  readonly ownRecord: () => NodeRecord;
  readonly membership: Membership;
  readonly models: { resolve(spec: string, options: ResolveOptions): Promise<ResolvedModel> };
  /** Plans the model over the nodes that are there now. */
  readonly place: (model: ResolvedModel) => Placement;
  readonly openHead: OpenHead<Head>;
  /** Called after every change of the record. */
  readonly onChange: (record: RingRecord) => void;
  readonly retryMs: number;
  readonly logger: Logger;
}

/**
 * A model that this node was asked to run as its head: fetched, placed as soon as enough nodes are there, and placed
 * again when its ring breaks and enough nodes are (still or again) there.
 */
export class PlacedModel<Head extends LoadedHead> {
  readonly #options: PlacedModelOptions<Head>;
  readonly #stop = new AbortController();
  readonly #changed = new Set<() => void>();
  #record: RingRecord;
  #ring: LoadedRing<Head> | null = null;
  #epoch = 0;
  #wasReady = false;
  #predicted: PredictedSpeed | null = null;
  /** Why there will be no further try, or `null`. */
  #failure: ExoError | null = null;
  #running: Promise<void> | null = null;

  constructor(options: PlacedModelOptions<Head>) {
    this.#options = options;
    this.#record = emptyRingRecord(options.ringId, options.spec);
  }

  /** The loaded head, or `null` while there is none. */
  get head(): Head | null {
    return this.#ring?.head ?? null;
  }

  record(): RingRecord {
    const load = this.head?.load();
    return {
      ...this.#record,
      busySlots: load?.busySlots ?? 0,
      waitingRequests: load?.waiting ?? 0,
      work: load?.work ?? NO_WORK,
      hops: load?.hops ?? null,
      prediction: predictionOf(this.#predicted, load?.measured ?? NOTHING_MEASURED),
    };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Resolves with the model's name; rejects when it is clear that it cannot be placed, or when the signal aborts. */
  async whenReady(signal: AbortSignal): Promise<string> {
    while (this.#record.state !== "ready") {
      if (this.#failure !== null) throw this.#failure;
      if (signal.aborted || this.#stop.signal.aborted) throw new ExoError("cancelled", "Waiting was cancelled.");
      await this.#nextChange(signal);
    }
    return this.#record.model;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      const model = await this.#fetch(signal);
      while (!signal.aborted) {
        await this.#enoughNodes(signal);
        await this.#serveOnce(model, signal);
        if (!signal.aborted) await pause(this.#options.retryMs, signal);
      }
    } catch (thrown) {
      const error = ExoError.from(thrown);
      if (signal.aborted) return;
      this.#failure = error;
      this.#options.logger.error({ model: this.#options.spec, code: error.code }, error.message);
      this.#update({ state: "failed", reason: error.message });
    }
  }

  async #fetch(signal: AbortSignal): Promise<ResolvedModel> {
    const { models, spec, self } = this.#options;
    this.#update({ state: "loading", reason: null, stages: [plannedStageRecord(self.id, self.name, 0, 0, true, 0)] });
    const onProgress = (progress: ModelProgress): void => this.#progress(0, "fetch", fractionOf(progress));
    const model = await models.resolve(spec, { signal, onProgress });
    this.#update({ model: model.id, spec: model.spec, layerCount: model.info.layerCount, card: cardOf(model) });
    return model;
  }

  async #enoughNodes(signal: AbortSignal): Promise<void> {
    for (;;) {
      const reason = this.#missingNodes();
      if (reason === null || signal.aborted) return;
      if (this.#record.reason !== reason) {
        this.#options.logger.info({ model: this.#record.model }, reason);
        this.#update({ state: "waiting", reason, stages: [] });
      }
      await memberChange(this.#options.membership, signal);
    }
  }

  /** What the model waits for, or `null`. */
  #missingNodes(): string | null {
    const { membership, minNodes, neededNodes, self } = this.#options;
    const present = [self, ...membership.alive()];
    const missing = neededNodes.filter((node) => !present.some(({ id, name }) => id === node || name === node));
    if (missing.length > 0) return `Waiting for the nodes that --layers names: ${missing.join(", ")}.`;
    return present.length < minNodes ? `Waiting for nodes: ${present.length} of ${minNodes} are here.` : null;
  }

  /** One life of the ring: loaded, served until it breaks or is stopped, taken down. */
  async #serveOnce(model: ResolvedModel, signal: AbortSignal): Promise<void> {
    try {
      const ring = await this.#load(model, signal);
      const reason = await brokenOrStopped(ring.head, signal);
      this.#ring = null;
      if (!signal.aborted) this.#broke(reason);
      await ring.close(reason);
    } catch (thrown) {
      const error = ExoError.from(thrown);
      if (signal.aborted) return;
      this.#broke(error);
      if (!this.#mayMend(error)) throw error;
    }
  }

  /** A damaged file or a wrong flag will not mend itself; memory that held the model once may be free again soon. */
  #mayMend({ retryable, code }: ExoError): boolean {
    return retryable || (this.#wasReady && code === "out_of_memory");
  }

  async #load(model: ResolvedModel, signal: AbortSignal): Promise<LoadedRing<Head>> {
    const { ringId, ownRecord, membership, openHead, logger } = this.#options;
    const { plan, ring } = this.#options.place(model);
    this.#epoch += 1;
    const { contextSize, slots } = ring;
    this.#update({ ...this.#planned(plan), epoch: this.#epoch, contextSize, slots, computing: computingOf(ring) });
    const loaded = await loadRing({
      ringId,
      epoch: this.#epoch,
      model,
      plan,
      ring,
      self: ownRecord(),
      membership,
      openHead,
      signal,
      logger,
      observer: {
        onStageProgress: (stage, phase, fraction) => this.#progress(stage, phase, fraction),
        onStageLoaded: (stage, memory) => this.#stage(stage, { memory, phase: "loaded", progress: 1 }),
      },
    });
    this.#ring = loaded;
    const { info } = loaded.head;
    const card = {
      ...this.#record.card,
      contextTrained: info.contextTrained,
      vocabularySize: info.vocabularySize,
      parameterCount: info.parameterCount,
    };
    this.#wasReady = true;
    this.#update({ state: "ready", reason: null, card });
    logger.info({ model: model.id, ring: ringId, epoch: this.#epoch, nodes: plan.stages.length }, "ring ready");
    return loaded;
  }

  #broke(error: ExoError): void {
    this.#options.logger.warn({ model: this.#record.model, code: error.code }, error.message);
    this.#update({ state: "failed", reason: error.message });
  }

  #planned(plan: Plan): Partial<RingRecord> {
    this.#predicted = predictedBy(plan);
    const stages = plan.stages.map((stage) => {
      const { self, membership } = this.#options;
      const name = stage.nodeId === self.id ? self.name : (membership.find(stage.nodeId)?.name ?? stage.nodeId);
      const { layerBegin, layerEnd, hasOutput, memory } = stage;
      return plannedStageRecord(stage.nodeId, name, layerBegin, layerEnd, hasOutput, memory.weights);
    });
    return { state: "loading", reason: null, layerCount: plan.layerCount, stages, planReasons: [...plan.reasons] };
  }

  #progress(stage: number, phase: "fetch" | "load", fraction: number): void {
    this.#stage(stage, { phase, progress: Math.min(1, Math.max(0, fraction)) });
  }

  #stage(index: number, change: Partial<RingStageRecord>): void {
    const stages = this.#record.stages.map((stage, at) => (at === index ? { ...stage, ...change } : stage));
    this.#update({ stages });
  }

  #update(change: Partial<RingRecord>): void {
    this.#record = { ...this.#record, ...change };
    this.#options.onChange(this.#record);
    for (const wake of this.#changed) wake();
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#changed.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#changed.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}

function brokenOrStopped(head: LoadedHead, signal: AbortSignal): Promise<ExoError> {
  return new Promise((resolve) => {
    head.onBroken(resolve);
    const stopped = (): void => resolve(new ExoError("not_ready", "The node is shutting down."));
    if (signal.aborted) stopped();
    else signal.addEventListener("abort", stopped, { once: true });
  });
}

function memberChange(membership: Membership, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      unsubscribe();
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const unsubscribe = membership.onChange(wake);
    signal.addEventListener("abort", wake, { once: true });
  });
}

function fractionOf({ received, total }: ModelProgress): number {
  return total === null || total === 0 ? 0 : received / total;
}
