import { memoryNeeds } from "../cluster/place.js";
import type { HostPort } from "../config/address.js";
import { AsyncQueue } from "../core/async-queue.js";
import { ExoError } from "../core/errors.js";
import { type ModelPart, stageMemory, totalBytes } from "../model/memory-estimate.js";
import { fractionOf } from "../model/progress.js";
import type { ResolvedModel, ResolveOptions } from "../model/resolved-model.js";
import { Stage } from "../native/stage.js";
import type { LoadedStage, LoadStageEvent, LoadStageRequest, StagePlace } from "../transport/node-service.js";
import { HeldStage } from "./held-stage.js";
import type { MemoryCap, MemoryClaim } from "./memory-cap.js";
import type { HopPorts } from "./outgoing-edge.js";
import { type ComputeSettings, stageOptions } from "./stage-settings.js";

export interface StageHostOptions {
  readonly ports: HopPorts;
  /** @param cores of its machine that are this node's part, as the head has it; 0: not said */
  readonly compute: (cores: number) => ComputeSettings;
  readonly memory: MemoryCap;
  readonly models: {
    resolvePart(spec: string, part: ModelPart, options: ResolveOptions): Promise<ResolvedModel>;
  };
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
  /** By ring: settles when the stage that is no longer held has given its memory back. */
  readonly #closing = new Map<string, Promise<void>>();
  /** Rings of which a stage is being loaded, and at which epoch. */
  readonly #loading = new Map<string, number>();
  readonly #claims = new WeakMap<Stage, MemoryClaim>();

  constructor(options: StageHostOptions) {
    this.#options = options;
  }

  /** Stages compute, or are being loaded. */
  get busy(): boolean {
    return this.#loading.size > 0 || this.held().some((held) => held.busy);
  }

  /** Stages held now. */
  held(): readonly HeldStage[] {
    return [...this.#held.values()];
  }

  /** See `NodeService.loadStage`. A stage of an older epoch of the same ring makes way first. */
  async *load(request: LoadStageRequest, signal: AbortSignal): AsyncGenerator<LoadStageEvent, void, void> {
    checkPlace(request);
    this.#options.requireMemory();
    this.#reserve(request.place);
    const events = new AsyncQueue<LoadStageEvent>();
    const left = new AbortController();
    // A head that reads slowly skips to the newest word on each phase.
    const tell = (event: LoadStageEvent): void => events.pushOver(event, (last) => isSamePhase(last, event));
    this.#load(request, AbortSignal.any([signal, left.signal]), tell)
      .finally(() => this.#loading.delete(request.place.ringId))
      .then(
        () => events.end(),
        (thrown: unknown) => events.fail(thrown),
      );
    try {
      yield* events;
    } finally {
      left.abort();
    }
  }

  /** Resolves when the stage's memory is free; one of a newer epoch is left alone. */
  async unload(place: StagePlace): Promise<void> {
    const held = this.#held.get(place.ringId);
    if (held !== undefined && held.request.place.epoch <= place.epoch) {
      this.#drop(held, new ExoError("not_ready", "The head took the ring down."));
    }
    await this.#closing.get(place.ringId);
  }

  async close(): Promise<void> {
    const reason = new ExoError("stage_lost", "This node is shutting down.");
    const all = this.held();
    for (const held of all) this.#drop(held, reason);
    await Promise.all([...this.#closing.values(), ...all.map((held) => held.left())]);
  }

  async #load(request: LoadStageRequest, signal: AbortSignal, tell: (event: LoadStageEvent) => void): Promise<void> {
    const begun = this.#options.ports.clock.monotonic();
    await this.#makeWay(request.place);
    const model = await this.#options.models.resolvePart(request.model, partOf(request), {
      signal,
      hash: request.modelHash === "" ? null : request.modelHash,
      onProgress: (progress) => tell({ type: "progress", phase: "fetch", fraction: fractionOf(progress) }),
    });
    const stage = await this.#loadStage(request, model, signal, tell);
    try {
      if (signal.aborted) throw new ExoError("cancelled", "Loading was cancelled by the head.");
      this.#hold(stage, request);
    } catch (thrown) {
      await this.#closed(stage, stage.close());
      throw thrown;
    }
    const seconds = (this.#options.ports.clock.monotonic() - begun) / 1000;
    tell({ type: "done", stage: describe(stage, seconds) });
  }

  /** What the owner offers is claimed as the planner counted it, then as it is. */
  async #loadStage(
    request: LoadStageRequest,
    model: ResolvedModel,
    signal: AbortSignal,
    tell: (event: LoadStageEvent) => void,
  ): Promise<Stage> {
    const { layerBegin, layerEnd, hasOutput } = request;
    const what = `Layers [${layerBegin}, ${layerEnd}) of ${model.id}`;
    const claim = await this.#options.memory.claim(plannedBytes(request, model), what, signal);
    try {
      const stage = await Stage.load(
        {
          ...stageOptions({ ...request, slots: request.maxSequences }, this.#options.compute(request.cores)),
          modelPath: model.path,
          layerBegin,
          layerEnd,
          hasOutput,
        },
        { signal, onProgress: (fraction) => tell({ type: "progress", phase: "load", fraction }) },
      );
      claim.became(bytesOf(stage));
      this.#claims.set(stage, claim);
      return stage;
    } catch (thrown) {
      claim.release();
      throw thrown;
    }
  }

  /** Its memory is spoken for until then. */
  #closed(stage: Stage, closed: Promise<void>): Promise<void> {
    this.#claims.get(stage)?.releaseAfter(closed);
    return closed;
  }

  #hold(stage: Stage, request: LoadStageRequest): void {
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
      "stage loaded",
    );
  }

  #orphaned(held: HeldStage, reason: ExoError): void {
    if (this.#held.get(held.request.place.ringId) !== held) return;
    this.#options.ports.logger.info(
      { ring: held.request.place.ringId, reason: reason.message },
      "the ring is gone; freeing its stage",
    );
    this.#drop(held, reason);
  }

  /** Only once for each stage, and a ring's next one waits for it, so there is one entry per ring. */
  #drop(held: HeldStage, reason: ExoError): void {
    const { ringId } = held.request.place;
    this.#held.delete(ringId);
    const closing = this.#closed(held.stage, held.close(reason)).finally(() => this.#closing.delete(ringId));
    this.#closing.set(ringId, closing);
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

  /** Two stages of a ring at once may be more than the node's memory holds. */
  async #makeWay({ ringId, epoch }: StagePlace): Promise<void> {
    const held = this.#held.get(ringId);
    if (held !== undefined) this.#drop(held, new ExoError("stale_epoch", `Ring ${ringId} went on to epoch ${epoch}.`));
    await this.#closing.get(ringId);
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

function partOf({ layerBegin, layerEnd, hasOutput }: LoadStageRequest): ModelPart {
  return { begin: layerBegin, end: layerEnd, hasEmbedding: layerBegin === 0 && layerEnd > 0, hasOutput };
}

/** As `modelCost` counts it. */
function plannedBytes(request: LoadStageRequest, { info }: ResolvedModel): number {
  const needs = memoryNeeds({ ...request, slots: request.maxSequences }, request.contextSize);
  return totalBytes(stageMemory(info, partOf(request), needs));
}

function bytesOf(stage: Stage): number {
  const { weights, kvCache, compute, output } = stage.memory();
  return weights + kvCache + compute + output;
}

function describe(stage: Stage, loadSeconds: number): LoadedStage {
  const memory = stage.memory();
  return {
    architecture: stage.info.architecture,
    layerCount: stage.info.layerCount,
    embeddingSize: stage.info.embeddingSize,
    contextSize: stage.info.contextSize,
    weightsBytes: memory.weights,
    kvCacheBytes: memory.kvCache,
    computeBytes: memory.compute,
    outputBytes: memory.output,
    loadSeconds,
  };
}
