import type { HostPort } from "../config/address.js";
import { AsyncQueue } from "../core/async-queue.js";
import { ExoError } from "../core/errors.js";
import type { Stage } from "../native/stage.js";
import type { LoadStageEvent, LoadStageRequest, StagePlace } from "../transport/node-service.js";
import { loadClaimed } from "./claimed-stage.js";
import { HeldStage } from "./held-stage.js";
import type { KeptStages, WantedStage } from "./kept-stages.js";
import { describeStage, fetchPart, type PartSource, type TellLoad, wantedMemory, wantedStage } from "./load-part.js";
import type { MemoryCap } from "./memory-cap.js";
import type { HopPorts } from "./outgoing-edge.js";
import { SpareStages } from "./spare-stages.js";
import type { ComputeSettings } from "./stage-settings.js";

export interface StageHostOptions {
  readonly ports: HopPorts;
  /** @param cores of its machine that are this node's part, as the head has it; 0: not said */
  readonly compute: (cores: number) => ComputeSettings;
  readonly memory: MemoryCap;
  readonly models: PartSource;
  /** What is loaded here and in no ring. */
  readonly kept: KeptStages;
  /** Throws `out_of_memory` when this machine is short of memory as it is. */
  readonly requireMemory: () => void;
  /** Where a node listens, as this node reaches it; `null` when it does not know the node. */
  readonly addressOf: (nodeId: string) => HostPort | null;
}

/** Of as many rings; memory ends it sooner, unless somebody asks for ever more without one of them being loaded. */
const MOST_STAGES = 64;

/** The stages that this node holds for heads elsewhere. */
export class StageHost {
  readonly #options: StageHostOptions;
  readonly #held = new Map<string, HeldStage>();
  /** Rings of which a stage is being loaded, and at which epoch. */
  readonly #loading = new Map<string, number>();
  readonly #spares: SpareStages;

  constructor(options: StageHostOptions) {
    this.#options = options;
    this.#spares = new SpareStages({ ...options, logger: options.ports.logger });
    options.kept.heldBy((ringId) => this.#letGo(ringId));
  }

  /** Stages compute, or are being loaded. */
  get busy(): boolean {
    return this.#loading.size > 0 || this.held().some((held) => held.busy);
  }

  /** Stages held now. */
  held(): readonly HeldStage[] {
    return [...this.#held.values()];
  }

  /**
   * See `NodeService.loadStage`. A stage of an older epoch of the same ring, or of a ring that this one takes the place of,
   * goes on in it where it is the same; else it makes way first.
   */
  async *load(request: LoadStageRequest, signal: AbortSignal): AsyncGenerator<LoadStageEvent, void, void> {
    const events = new AsyncQueue<LoadStageEvent>();
    const left = new AbortController();
    const either = AbortSignal.any([signal, left.signal]);
    // A head that reads slowly skips to the newest word on each phase.
    const tell = (event: LoadStageEvent): void => events.pushOver(event, (last) => isSamePhase(last, event));
    const loading =
      request.spare === "" ? this.#inPlace(request, either, tell) : this.#spares.prepare(request, either, tell);
    loading.then(
      () => events.end(),
      (thrown: unknown) => events.fail(thrown),
    );
    try {
      yield* events;
    } finally {
      left.abort();
    }
  }

  /**
   * Resolves when the stage's memory is free; one of a newer epoch is left alone.
   *
   * @param keep it stays loaded for a moment, for a ring that comes after this one
   */
  async unload({ ringId, epoch }: StagePlace, keep: boolean): Promise<void> {
    const held = this.#held.get(ringId);
    const reason = new ExoError("not_ready", "The head took the ring down.");
    if (held !== undefined && held.request.place.epoch <= epoch) this.#leave(held, reason);
    if (keep || this.#held.has(ringId) || this.#loading.has(ringId)) return;
    await this.#options.kept.free((kept) => kept.ringId === ringId);
  }

  async close(): Promise<void> {
    const reason = new ExoError("stage_lost", "This node is shutting down.");
    const all = this.held();
    for (const held of all) this.#leave(held, reason);
    this.#spares.close();
    await Promise.all([this.#options.kept.close(), ...all.map((held) => held.left())]);
  }

  async #inPlace(request: LoadStageRequest, signal: AbortSignal, tell: TellLoad): Promise<void> {
    checkPlace(request);
    const { ringId } = request.place;
    this.#reserve(request.place);
    this.#spares.leaveTo(ringId);
    try {
      await this.#load(request, signal, tell);
    } finally {
      this.#loading.delete(ringId);
    }
  }

  async #load(request: LoadStageRequest, signal: AbortSignal, tell: TellLoad): Promise<void> {
    const begun = this.#options.ports.clock.monotonic();
    const kept = await this.#claim(request);
    const stage = kept ?? (await this.#loadAnew(request, signal, tell));
    try {
      if (signal.aborted) throw new ExoError("cancelled", "Loading was cancelled by the head.");
      this.#hold(stage, request, kept !== null);
    } catch (thrown) {
      await stage.close();
      throw thrown;
    }
    const seconds = (this.#options.ports.clock.monotonic() - begun) / 1000;
    tell({ type: "done", stage: describeStage(stage, seconds, kept !== null) });
  }

  async #loadAnew(request: LoadStageRequest, signal: AbortSignal, tell: TellLoad): Promise<Stage> {
    const { models, kept, memory, requireMemory } = this.#options;
    const model = await fetchPart(models, request, signal, tell);
    const options = { ...this.#wanted(request).options, modelPath: model.path };
    const onProgress = (fraction: number): void => tell({ type: "progress", phase: "load", fraction });
    const wanted = wantedMemory(request, model);
    return kept.makingWay(async () => {
      requireMemory();
      return loadClaimed(memory, wanted, options, { signal, onProgress });
    });
  }

  #wanted(request: LoadStageRequest): WantedStage {
    return wantedStage(request, this.#options.compute(request.cores));
  }

  #hold(stage: Stage, request: LoadStageRequest, kept: boolean): void {
    const { nodeId, host, port } = request.nextHop;
    const held: HeldStage = new HeldStage({
      stage,
      request,
      // This node's own view of the next one comes first: the head may see it at another address.
      nextHop: this.#options.addressOf(nodeId) ?? { host, port },
      ports: this.#options.ports,
      onOrphaned: (reason) => this.#orphaned(held, reason),
    });
    this.#held.set(request.place.ringId, held);
    const { place, layerBegin, layerEnd } = request;
    const { threads, batchThreads } = stage.options;
    this.#options.ports.logger.info(
      {
        ring: place.ringId,
        epoch: place.epoch,
        layers: `[${layerBegin}, ${layerEnd})`,
        model: request.model,
        threads,
        batchThreads,
      },
      kept ? "stage goes on" : "stage loaded",
    );
  }

  #orphaned(held: HeldStage, reason: ExoError): void {
    if (this.#held.get(held.request.place.ringId) !== held) return;
    this.#options.ports.logger.info(
      { ring: held.request.place.ringId, reason: reason.message },
      "the ring is gone; its stage is kept for a while",
    );
    this.#leave(held, reason);
  }

  /** The ring goes on without the stage that is held here for it, or with it in another place. */
  #letGo(ringId: string): void {
    const held = this.#held.get(ringId);
    if (held !== undefined) this.#leave(held, new ExoError("stale_epoch", `Ring ${ringId} went on to another epoch.`));
  }

  /** Nothing of its ring reaches the stage from then on. */
  #leave(held: HeldStage, reason: ExoError): void {
    const { place, model: spec, modelHash } = held.request;
    this.#held.delete(place.ringId);
    held.leave(reason);
    this.#options.kept.keep({ ringId: place.ringId, spec, modelHash, stage: held.stage, spare: false });
  }

  /** One stage of a ring at a time: whoever comes while it is being loaded, or with an older epoch, is refused. */
  #reserve({ ringId, epoch }: StagePlace): void {
    const known = this.#loading.get(ringId) ?? this.#held.get(ringId)?.request.place.epoch;
    if (known !== undefined && known >= epoch) {
      throw new ExoError("stale_epoch", `Ring ${ringId} is at epoch ${known} here, not ${epoch}.`);
    }
    if (this.#loading.has(ringId)) {
      throw new ExoError("not_ready", `A stage of ring ${ringId} is still being loaded for epoch ${known}; try again.`);
    }
    const count = this.#held.size + this.#loading.size;
    if (count >= MOST_STAGES && !this.#held.has(ringId)) {
      throw new ExoError("overloaded", `This node holds or loads ${count} stages, which is as many as it takes.`);
    }
    this.#loading.set(ringId, epoch);
  }

  /** Two stages of a ring at once may be more than the node's memory holds: what has no place in it any more is freed. */
  async #claim(request: LoadStageRequest): Promise<Stage | null> {
    const { ringId } = request.place;
    const rings = new Set([ringId, ...request.replaces]);
    for (const id of rings) this.#letGo(id);
    const stage = await this.#options.kept.take(this.#wanted(request));
    await this.#options.kept.free((kept) => rings.has(kept.ringId) && !kept.spare);
    return stage;
  }
}

function isSamePhase(one: LoadStageEvent, other: LoadStageEvent): boolean {
  return one.type === "progress" && other.type === "progress" && one.phase === other.phase;
}

function checkPlace({ place, hasOutput }: LoadStageRequest): void {
  const { stageIndex, stageCount } = place;
  if (stageIndex < 1 || stageIndex >= stageCount || hasOutput) {
    throw new ExoError(
      "invalid_argument",
      `Stage ${stageIndex} of ${stageCount}${hasOutput ? " with the output head" : ""} cannot be placed on another node; the head is stage 0.`,
    );
  }
}
