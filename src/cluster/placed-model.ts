import { ExoError } from "../core/errors.js";
import { pause, settledWithin } from "../core/waiting.js";
import type { Plan } from "../planning/plan.js";
import { clusterChange, lifeOf, nodesToUse, unfitHere } from "./awaited-nodes.js";
import { letGo } from "./draining.js";
import type { LoadedHead } from "./head-port.js";
import { Healing } from "./healing.js";
import { whatIsPlanned, whyWaiting } from "./missing-nodes.js";
import type { ModelRequest, RingRemains } from "./model-request.js";
import type { PlaceableModel } from "./model-source.js";
import type { RingRecord, SpareRecord } from "./node-record.js";
import type { PlacedModelOptions, Placement } from "./placed-model-options.js";
import { readHeader } from "./read-header.js";
import { type LoadedRing, loadRing } from "./ring-loader.js";
import { computingOf, emptyRingRecord } from "./ring-record.js";
import { RingReport } from "./ring-report.js";
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
  readonly #healing: Healing;
  readonly #report: RingReport;
  #request: ModelRequest;
  /** As it was asked for, before a plan chose the head. */
  #asked: ModelRequest;
  #model: PlaceableModel | null = null;
  #placement: Placement | null = null;
  #ring: LoadedRing<Head> | null = null;
  #epoch = 0;
  #wasReady = false;
  /** Why the ring is being placed anew though it works, or `null`. */
  #again: string | null = null;
  #around = false;
  /** The ring could not be loaded because of a node that what is planned next is without. */
  #leftOut = false;
  #endLife: ((reason: ExoError) => void) | null = null;
  #failure: ExoError | null = null;
  #running: Promise<void> | null = null;
  /** Settles when the last ring is taken down. */
  #closing: Promise<void> = Promise.resolve();

  constructor(options: PlacedModelOptions<Head>) {
    const { ringId: id, request, proposedBy, clock, retryMs } = options;
    this.#options = options;
    this.#request = request;
    this.#asked = request;
    this.usage = new RingUsage(clock, options.mostHeld);
    this.#healing = new Healing({ retryMs, clock, onGivenUp: () => this.#noLongerAwaited() });
    this.#report = new RingReport(emptyRingRecord({ id, proposedBy, ...request }), options);
  }

  get id(): string {
    return this.#report.record.id;
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
    return this.#wasReady && this.#ring === null && this.#report.record.state !== "loading";
  }

  /** Why there will be no further try, or `null`. */
  get failure(): ExoError | null {
    return this.#failure;
  }

  record(): RingRecord {
    return {
      ...this.#report.now(this.head?.load() ?? null),
      idleSeconds: this.#ring === null ? null : this.usage.idleSeconds(),
      keepAliveSeconds: this.#request.keepAliveSeconds,
      request: this.#request,
      ...(this.#healing.isFresh ? { healing: true } : {}),
    };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends running requests with `reason` and frees everything; without one what others hold is left to the next head. */
  async stop(reason: ExoError = SHUTTING_DOWN): Promise<void> {
    this.#report.update({ draining: true });
    this.#stop.abort(reason);
    this.#healing.end();
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

  /** Others stand by for its stages. */
  noteSpares(spares: readonly SpareRecord[]): void {
    this.#report.update({ spares: [...spares] });
  }

  /** From now on it stays loaded. */
  pin(): void {
    this.#report.update({ pinned: true });
  }

  /** Answers what was begun; resolves when nothing runs any more, or when it is stopped. */
  async drain(): Promise<void> {
    this.#report.update({ draining: true });
    await this.usage.whenIdle(this.#stop.signal);
  }

  /**
   * Places a model that works anew, once what was begun is answered; requests that come meanwhile wait.
   *
   * @param around what is loaded stays where it is, as far as it can; else every placement is as good as it is fast
   */
  async placeAgain(reason: string, around = false): Promise<void> {
    const ring = this.#ring;
    if (ring === null || this.#again !== null) return;
    this.#again = reason;
    this.#around = around;
    this.usage.hold();
    await this.usage.whenIdle(this.#stop.signal);
    // It may have broken meanwhile, and is placed anew for that.
    if (this.#ring !== ring || this.#stop.signal.aborted) return;
    this.#options.logger.info({ model: this.#report.record.model, ring: this.id }, reason);
    this.#endLife?.(new ExoError("not_ready", `The model is placed anew: ${reason}`));
  }

  /** Resolves with the model's name; rejects when it is clear that it cannot be placed, or when the signal aborts. */
  async whenReady(signal: AbortSignal): Promise<string> {
    while (this.#report.record.state !== "ready") {
      if (this.#failure !== null) throw this.#failure;
      if (signal.aborted || this.#stop.signal.aborted) throw new ExoError("cancelled", "Waiting was cancelled.");
      await this.#report.next(signal);
    }
    return this.#report.record.model;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      const model = await readHeader(this.#options, this.#report, signal);
      this.#model = model;
      for (;;) {
        await this.#enoughNodes(signal);
        await settledWithin(this.#closing, CLOSING_MS, signal);
        // Who had the ring goes on with it; nodes that disagree find that out later.
        if (!signal.aborted && !this.#healing.isUnderWay) await this.#options.mayPlace(signal);
        if (signal.aborted) return;
        const ending = await this.#serveOnce(model, signal);
        if (signal.aborted || ending === "handed over") return;
        if (ending === "broken") await pause(this.#healing.nextPause(), signal);
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
    this.#healing.end();
    this.#report.update({ state: "failed", reason: error.message, gaveUp: true });
    this.usage.release();
  }

  /** Who waits for a ring that broke is told why it does not come back. */
  #noLongerAwaited(): void {
    if (this.#ring !== null) return;
    this.usage.release();
    this.#report.update({});
  }

  async #enoughNodes(signal: AbortSignal): Promise<void> {
    for (;;) {
      const { spec } = this.#report.record;
      this.#request = letGo(this.#request, this.#options.ownRecord());
      const reason = whyWaiting(this.#request, nodesToUse(this.#options), unfitHere(this.#options, spec));
      if (signal.aborted) return;
      if (reason === null) break;
      this.#waitBecause(reason);
      await clusterChange(this.#options, spec, signal);
    }
    // What broke says so until it is planned.
    if (this.#report.record.state === "failed") return;
    this.#report.update({ state: "loading", reason: whatIsPlanned(this.#request) });
  }

  /** Requests that were held are told: nobody knows for how long. */
  #waitBecause(missing: string): void {
    const reason = this.#healing.explain(missing);
    const { state, reason: before, model } = this.#report.record;
    if (state === "waiting" && before === reason) return;
    this.#again = null;
    this.#options.logger.info({ model }, reason);
    this.#report.update({ state: "waiting", reason, stages: [] });
    if (!this.#healing.isFresh) this.usage.release();
  }

  /** One life of the ring: loaded, served until it breaks, is placed anew or is stopped, taken down. */
  async #serveOnce(model: PlaceableModel, signal: AbortSignal): Promise<Ending> {
    try {
      const placement = await this.#options.place(model, this.#request, signal, this.#remains());
      if (placement.plan.head !== this.#options.self.id) return await this.#handOver(placement.plan);
      // The stages know the ring by this head's epochs.
      this.#request = { ...this.#request, head: this.#options.self.id };
      const ring = await this.#load(model, placement, signal);
      const reason = await lifeOf(ring.head, signal, (end) => {
        this.#endLife = end;
      });
      const ending = this.#again === null || reason.code !== "not_ready" ? "broken" : "again";
      this.#ring = null;
      if (ending === "again") this.#report.update({ state: "loading", reason: null });
      else if (!signal.aborted) this.#broke(reason, true);
      // What is unloaded is gone; else the next ring, here or elsewhere, may use what is loaded.
      this.#closing = ring.close(reason, !signal.aborted || reason === SHUTTING_DOWN);
      return ending;
    } catch (thrown) {
      return signal.aborted ? "broken" : await this.#mend(ExoError.from(thrown), signal);
    }
  }

  /** What there is of the ring before this one; `null`: there was none, or it works. */
  #remains(): RingRemains | null {
    if (this.#again !== null && !this.#around) return null;
    const contextSize = this.#placement?.ring.contextSize;
    if (!this.#wasReady || contextSize === undefined) return this.#request.replaces ?? null;
    return { ringIds: [this.id], contextSize };
  }

  /** After a try that came to no ring. Rejects with what will not mend itself. */
  async #mend(error: ExoError, signal: AbortSignal): Promise<Ending> {
    if (this.#leftOut) {
      // There may be a placement without the node, perhaps with another head: nothing is loaded any more.
      this.#leftOut = false;
      this.#request = this.#asked;
      this.#again = null;
      const { model } = this.#report.record;
      this.#options.logger.warn({ model, code: error.code }, error.message);
      this.#report.update({ state: "loading", reason: error.message, stages: [] });
      return "again";
    }
    const { spec } = this.#report.record;
    const unfit = unfitHere(this.#options, spec);
    if (this.#mayMend(error)) this.#broke(error, false);
    else if (error.code === "out_of_memory" && unfit.length > 0) {
      this.#waitBecause([error.message, ...unfit.map(unfitText)].join(" "));
      await clusterChange(this.#options, spec, signal);
    } else throw error;
    return "broken";
  }

  async #handOver(plan: Plan): Promise<Ending> {
    this.#report.planned(plan, this.#again);
    const replaces = this.#remains();
    await this.#options.handOver(plan, { ...this.#request, ...(replaces === null ? {} : { replaces }) });
    if (this.#request.head === this.#options.self.id) return "again";
    this.#healing.end();
    this.usage.release();
    return "handed over";
  }

  /** A damaged file or a wrong flag will not mend itself; room that there was once may be there again soon. */
  #mayMend({ retryable, code }: ExoError): boolean {
    return retryable || (this.#wasReady && (code === "out_of_memory" || code === "disk_full"));
  }

  async #load(model: PlaceableModel, placement: Placement, signal: AbortSignal): Promise<LoadedRing<Head>> {
    const { ringId, ownRecord, membership, models, openHead, logger } = this.#options;
    const { plan, ring } = placement;
    if (this.#wasReady) this.#options.onPlacedAnew?.(model.id, this.#again === null ? "broken" : "better");
    const remains = this.#remains();
    this.#epoch += 1;
    this.#placement = placement;
    const { contextSize, slots } = ring;
    this.#report.planned(plan, this.#again, { epoch: this.#epoch, contextSize, slots, computing: computingOf(ring) });
    logger.info({ model: model.id, ring: ringId, epoch: this.#epoch }, "ring planned");
    const loaded = await loadRing({
      ...{ ringId, epoch: this.#epoch, model, models, plan, ring, self: ownRecord() },
      ...{ membership, openHead, signal, logger },
      ...{ replaces: remains?.ringIds ?? [], isHealed: remains !== null },
      observer: this.#report.observer(({ record }, error) => {
        if (this.#options.unfit.add(model.spec, record, error)) this.#leftOut = true;
      }),
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
    this.#healing.end();
    this.usage.loaded();
    const card = { ...this.#report.record.card, contextTrained, vocabularySize, parameterCount };
    this.#report.update({ state: "ready", reason: null, card });
    this.usage.release();
  }

  /** @param hadAnswered else it was tried to bring it back, or to load it at all */
  #broke(error: ExoError, hadAnswered: boolean): void {
    this.#again = null;
    this.#options.logger.warn({ model: this.#report.record.model, code: error.code }, error.message);
    if (hadAnswered) this.#healing.broke(error);
    this.#report.update({ state: "failed", reason: this.#healing.explain(error.message) });
    if (this.#healing.isFresh) this.usage.hold();
    else this.usage.release();
  }
}
