import { ExoError } from "../core/errors.js";
import { pause, settledWithin } from "../core/waiting.js";
import { fractionOf, type ModelProgress } from "../model/progress.js";
import type { Plan } from "../planning/plan.js";
import { clusterChange, lifeOf, unfitHere } from "./awaited-nodes.js";
import { Changes } from "./changes.js";
import type { LoadedHead } from "./head-port.js";
import { whatIsPlanned, whyWaiting } from "./missing-nodes.js";
import type { ModelRequest } from "./model-request.js";
import type { PlaceableModel } from "./model-source.js";
import type { RingRecord, RingStageRecord } from "./node-record.js";
import type { PlacedModelOptions, Placement } from "./placed-model-options.js";
import { type PredictedSpeed, predictedBy } from "./prediction-record.js";
import { type LoadedRing, loadRing } from "./ring-loader.js";
import { cardOf, computingOf, emptyRingRecord, plannedRecord, unplannedStageRecord, withLoad } from "./ring-record.js";
import { RingUsage } from "./ring-usage.js";
import { unfitText } from "./unfit-nodes.js";

export type { PlacedModelOptions, Placement } from "./placed-model-options.js";

/** How one life of a ring ended. */
type Ending = "broken" | "again" | "handed over";

/** A node that cannot be reached is asked no longer to free its stage before the next ring is loaded. */
const CLOSING_MS = 5_000;

const SHUTTING_DOWN = new ExoError("not_ready", "The node is shutting down.");

/**
 * A model that this node was asked to run as its head: planned as soon as enough nodes are there, loaded, and placed
 * again when its ring breaks and enough nodes are (still or again) there, or when another placement is worth it.
 */
export class PlacedModel<Head extends LoadedHead> {
  readonly usage: RingUsage;
  readonly #options: PlacedModelOptions<Head>;
  readonly #stop = new AbortController();
  readonly #changes = new Changes();
  #request: ModelRequest;
  /** As it was asked for, before a plan chose the head. */
  #asked: ModelRequest;
  #record: RingRecord;
  #model: PlaceableModel | null = null;
  #placement: Placement | null = null;
  #ring: LoadedRing<Head> | null = null;
  #epoch = 0;
  #wasReady = false;
  #predicted: PredictedSpeed | null = null;
  /** Why the ring is being placed anew though it works, or `null`. */
  #again: string | null = null;
  /** The ring could not be loaded because of a node that what is planned next is without. */
  #leftOut = false;
  #endLife: ((reason: ExoError) => void) | null = null;
  #failure: ExoError | null = null;
  #running: Promise<void> | null = null;
  /** Settles when the last ring is taken down. */
  #closing: Promise<void> = Promise.resolve();

  constructor(options: PlacedModelOptions<Head>) {
    const { ringId: id, request, proposedBy, clock } = options;
    this.#options = options;
    this.#request = request;
    this.#asked = request;
    this.usage = new RingUsage(clock);
    this.#record = emptyRingRecord({ id, proposedBy, ...request });
  }

  get id(): string {
    return this.#record.id;
  }

  get request(): ModelRequest {
    return this.#request;
  }

  /** The loaded head, or `null` while there is none. */
  get head(): Head | null {
    return this.#ring?.head ?? null;
  }

  /** `null` before its header is read. */
  get model(): PlaceableModel | null {
    return this.#model;
  }

  /** How it is placed now, or was last. */
  get placement(): Placement | null {
    return this.#placement;
  }

  /** It answered before, and cannot now. */
  get isDown(): boolean {
    return this.#wasReady && this.#ring === null && this.#record.state !== "loading";
  }

  /** Why there will be no further try, or `null`. */
  get failure(): ExoError | null {
    return this.#failure;
  }

  record(): RingRecord {
    return {
      ...withLoad(this.#record, this.head?.load() ?? null, this.#predicted),
      idleSeconds: this.#ring === null ? null : this.usage.idleSeconds(),
      keepAliveSeconds: this.#request.keepAliveSeconds,
    };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends running requests with `reason` and frees everything. */
  async stop(reason: ExoError = SHUTTING_DOWN): Promise<void> {
    this.#update({ draining: true });
    this.#stop.abort(reason);
    this.usage.release();
    await this.#running;
  }

  /** Whatever is planned, this node is the head; also of a ring that it is about to hand over. */
  takeOn(): void {
    this.confine({ ...this.#request, head: this.#options.self.id });
  }

  /** It is to be placed as this says, which leaves less open than what it was asked for with. */
  confine(request: ModelRequest): void {
    this.#request = request;
    this.#asked = request;
  }

  /** From now on it stays loaded. */
  pin(): void {
    this.#update({ pinned: true });
  }

  /** Answers what was begun; resolves when nothing runs any more, or when it is stopped. */
  async drain(): Promise<void> {
    this.#update({ draining: true });
    await this.usage.whenIdle(this.#stop.signal);
  }

  /** Places a model that works anew, once what was begun is answered; requests that come meanwhile wait. */
  async placeAgain(reason: string): Promise<void> {
    const ring = this.#ring;
    if (ring === null || this.#again !== null) return;
    this.#again = reason;
    this.usage.hold();
    await this.usage.whenIdle(this.#stop.signal);
    // It may have broken meanwhile, and is placed anew for that.
    if (this.#ring !== ring || this.#stop.signal.aborted) return;
    this.#options.logger.info({ model: this.#record.model, ring: this.id }, reason);
    this.#endLife?.(new ExoError("not_ready", `The model is placed anew: ${reason}`));
  }

  /** Resolves with the model's name; rejects when it is clear that it cannot be placed, or when the signal aborts. */
  async whenReady(signal: AbortSignal): Promise<string> {
    while (this.#record.state !== "ready") {
      if (this.#failure !== null) throw this.#failure;
      if (signal.aborted || this.#stop.signal.aborted) throw new ExoError("cancelled", "Waiting was cancelled.");
      await this.#changes.next(signal);
    }
    return this.#record.model;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      const model = await this.#readHeader(signal);
      for (;;) {
        await this.#enoughNodes(signal);
        await settledWithin(this.#closing, CLOSING_MS, signal);
        if (!signal.aborted) await this.#options.mayPlace(signal);
        if (signal.aborted) return;
        const ending = await this.#serveOnce(model, signal);
        if (signal.aborted || ending === "handed over") return;
        if (ending === "broken") await pause(this.#options.retryMs, signal);
      }
    } catch (thrown) {
      if (!signal.aborted) this.#giveUp(ExoError.from(thrown));
    } finally {
      await this.#closing;
    }
  }

  #giveUp(error: ExoError): void {
    this.#failure = error;
    this.#options.logger.error({ model: this.#options.request.spec, code: error.code }, error.message);
    this.#update({ state: "failed", reason: error.message, gaveUp: true });
    this.usage.release();
  }

  async #readHeader(signal: AbortSignal): Promise<PlaceableModel> {
    const { models, request, self } = this.#options;
    this.#update({ state: "loading", reason: null, stages: [unplannedStageRecord(self)] });
    const onProgress = (progress: ModelProgress): void => this.#progress(0, "fetch", fractionOf(progress));
    const model = await models.header(request.spec, { signal, onProgress });
    this.#model = model;
    this.#update({ model: model.id, spec: model.spec, layerCount: model.info.layerCount, card: cardOf(model) });
    return model;
  }

  async #enoughNodes(signal: AbortSignal): Promise<void> {
    for (;;) {
      const { self, membership } = this.#options;
      const reason = whyWaiting(
        this.#request,
        [self, ...membership.alive()],
        unfitHere(this.#options, this.#record.spec),
      );
      if (signal.aborted) return;
      if (reason === null) break;
      this.#waitBecause(reason);
      await clusterChange(this.#options, this.#record.spec, signal);
    }
    // What broke says so until it is planned.
    if (this.#record.state !== "failed") this.#update({ state: "loading", reason: whatIsPlanned(this.#request) });
  }

  /** Requests that were held are told: nobody knows for how long. */
  #waitBecause(reason: string): void {
    if (this.#record.state === "waiting" && this.#record.reason === reason) return;
    this.#again = null;
    this.#options.logger.info({ model: this.#record.model }, reason);
    this.#update({ state: "waiting", reason, stages: [] });
    this.usage.release();
  }

  /** One life of the ring: loaded, served until it breaks, is placed anew or is stopped, taken down. */
  async #serveOnce(model: PlaceableModel, signal: AbortSignal): Promise<Ending> {
    try {
      const placement = await this.#options.place(model, this.#request, signal);
      if (placement.plan.head !== this.#options.self.id) return await this.#handOver(placement.plan);
      // The stages know the ring by this head's epochs.
      this.#request = { ...this.#request, head: this.#options.self.id };
      const ring = await this.#load(model, placement, signal);
      const reason = await lifeOf(ring.head, signal, (end) => {
        this.#endLife = end;
      });
      const ending = this.#again === null ? "broken" : "again";
      this.#ring = null;
      if (ending === "again") this.#update({ state: "loading", reason: null });
      else if (!signal.aborted) this.#broke(reason);
      this.#closing = ring.close(reason);
      return ending;
    } catch (thrown) {
      return signal.aborted ? "broken" : await this.#mend(ExoError.from(thrown), signal);
    }
  }

  /** After a try that came to no ring. Rejects with what will not mend itself. */
  async #mend(error: ExoError, signal: AbortSignal): Promise<Ending> {
    if (this.#leftOut) {
      // There may be a placement without the node, perhaps with another head: nothing is loaded any more.
      this.#leftOut = false;
      this.#request = this.#asked;
      this.#again = null;
      this.#options.logger.warn({ model: this.#record.model, code: error.code }, error.message);
      this.#update({ state: "loading", reason: error.message, stages: [] });
      return "again";
    }
    const unfit = unfitHere(this.#options, this.#record.spec);
    if (this.#mayMend(error)) this.#broke(error);
    else if (error.code === "out_of_memory" && unfit.length > 0) {
      this.#waitBecause([error.message, ...unfit.map(unfitText)].join(" "));
      await clusterChange(this.#options, this.#record.spec, signal);
    } else throw error;
    return "broken";
  }

  async #handOver(plan: Plan): Promise<Ending> {
    this.#update(this.#planned(plan));
    await this.#options.handOver(plan, this.#request);
    return this.#request.head === this.#options.self.id ? "again" : "handed over";
  }

  /** A damaged file or a wrong flag will not mend itself; room that there was once may be there again soon. */
  #mayMend({ retryable, code }: ExoError): boolean {
    return retryable || (this.#wasReady && (code === "out_of_memory" || code === "disk_full"));
  }

  async #load(model: PlaceableModel, placement: Placement, signal: AbortSignal): Promise<LoadedRing<Head>> {
    const { ringId, ownRecord, membership, models, openHead, logger } = this.#options;
    const { plan, ring } = placement;
    if (this.#wasReady) this.#options.onPlacedAnew?.(model.id, this.#again === null ? "broken" : "better");
    this.#epoch += 1;
    this.#placement = placement;
    const { contextSize, slots } = ring;
    this.#update({ ...this.#planned(plan), epoch: this.#epoch, contextSize, slots, computing: computingOf(ring) });
    const loaded = await loadRing({
      ...{ ringId, epoch: this.#epoch, model, models, plan, ring, self: ownRecord() },
      ...{ membership, openHead, signal, logger },
      observer: {
        onStageProgress: (...progress) => this.#progress(...progress),
        onStageFailed: ({ record }, error) => {
          if (this.#options.unfit.add(model.spec, record, error)) this.#leftOut = true;
        },
        onStageLoaded: (stage, memory) => this.#stage(stage, { memory, phase: "loaded", progress: 1 }),
      },
    });
    this.#ready(loaded);
    logger.info({ model: model.id, ring: ringId, epoch: this.#epoch, nodes: plan.stages.length }, "ring ready");
    return loaded;
  }

  #ready(loaded: LoadedRing<Head>): void {
    const { contextTrained, vocabularySize, parameterCount } = loaded.head.info;
    this.#ring = loaded;
    this.#wasReady = true;
    this.#again = null;
    this.usage.loaded();
    this.#update({
      state: "ready",
      reason: null,
      card: { ...this.#record.card, contextTrained, vocabularySize, parameterCount },
    });
    this.usage.release();
  }

  #broke(error: ExoError): void {
    this.#again = null;
    this.#options.logger.warn({ model: this.#record.model, code: error.code }, error.message);
    this.#update({ state: "failed", reason: error.message });
    this.usage.release();
  }

  #planned(plan: Plan): Partial<RingRecord> {
    this.#predicted = predictedBy(plan);
    const { self, membership } = this.#options;
    return plannedRecord(plan, this.#again, (id) => (id === self.id ? self : membership.find(id))?.name ?? id);
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
    this.#changes.notify();
  }
}
