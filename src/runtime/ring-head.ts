import type { HeadLoad, HeadRequest, LoadedHead } from "../cluster/head-port.js";
import type { StageMemoryRecord } from "../cluster/node-record.js";
import type { RingSettings } from "../cluster/ring-settings.js";
import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import type { LoadHooks, StageInfo, StageMemory } from "../native/stage.js";
import { AnswerObserver } from "./answer-observer.js";
import type { ContextFull } from "./context-shift.js";
import { Engine } from "./engine.js";
import { HeadStages, sharedBytes } from "./head-stages.js";
import type { MeteredPart } from "./held-stage.js";
import type { KeptStages } from "./kept-stages.js";
import type { MemoryCap, MemoryClaim } from "./memory-cap.js";
import { localPipeline, type MeteredPipeline, ringPipeline } from "./metered-pipeline.js";
import type { ReceivedFrames } from "./metered-stage.js";
import type { ModelMeter } from "./meters.js";
import { RingBatchBuilder } from "./micro-batch.js";
import type { HopPorts } from "./outgoing-edge.js";
import type { DraftModel } from "./speculation/draft-model.js";
import { openDraftModel } from "./speculation/open-draft-model.js";
import { outputRows, type SpeculationSettings } from "./speculation/settings.js";
import { Speculator } from "./speculation/speculator.js";
import type { ComputeSettings } from "./stage-settings.js";
import type { TraceBuffer } from "./tracing/trace-buffer.js";
import { warmUp } from "./warm-up.js";

export interface RingHeadOptions extends HeadRequest {
  readonly compute: ComputeSettings;
  /** Requests that may wait for a slot. */
  readonly queueLimit: number;
  readonly contextFull: ContextFull;
  /** As `EngineOptions.requestTimeout`. */
  readonly requestTimeout: number | null;
  readonly speculation: SpeculationSettings;
  readonly roundTripDeadlineMs: number;
  readonly meter: ModelMeter;
}

export interface RingHeadPorts extends HopPorts {
  readonly memory: MemoryCap;
  /** Of this node. */
  readonly kept: KeptStages;
  readonly traces: TraceBuffer;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where a token's way round begins and where it ends, and what drafts for it. */
interface HeadParts {
  readonly stages: HeadStages;
  readonly draftModel: DraftModel | null;
  readonly metered: MeteredPipeline;
  readonly claim: MemoryClaim;
}

/** A loaded head: stages, edges, scheduler. */
export class RingHead implements LoadedHead {
  readonly engine: Engine;
  readonly info: StageInfo;
  readonly #stages: HeadStages;
  readonly #metered: MeteredPipeline;
  readonly #draftModel: DraftModel | null;
  readonly #clock: Clock;
  readonly #meter: ModelMeter;
  readonly #tiedEmbeddingBytes: number;
  readonly #claim: MemoryClaim;
  readonly ring: RingSettings;
  readonly compute: ComputeSettings;

  private constructor(options: RingHeadOptions, ports: RingHeadPorts, parts: HeadParts) {
    const { stages, draftModel, metered, claim } = parts;
    const { front, output } = stages;
    this.info = front.info;
    this.#stages = stages;
    this.#metered = metered;
    this.#draftModel = draftModel;
    this.#clock = ports.clock;
    this.#meter = options.meter;
    this.#tiedEmbeddingBytes = options.tiedEmbeddingBytes;
    this.#claim = claim;
    this.ring = options.ring;
    this.compute = options.compute;
    this.engine = new Engine({
      outputStage: output,
      pipeline: metered.pipeline,
      slotCount: options.ring.slots,
      // The context is the same on every stage: what was asked for, though llama.cpp may round its caches up. Some models
      // have no positions behind those that they were trained for.
      contextSize: Math.min(options.ring.contextSize, front.info.contextSize),
      microBatchSize: options.ring.batchSize,
      queueLimit: options.queueLimit,
      contextFull: options.contextFull,
      requestTimeout: options.requestTimeout,
      speculator: speculatorOf(options, draftModel),
      sampling: options.sampling,
      canTrim: front.info.canTrim,
      observer: observerOf(options, ports),
      clock: ports.clock,
      logger: ports.logger,
    });
  }

  /**
   * Loads the head's part of the model. Rejects as `Stage.load` does, and with `out_of_memory` where the owner does not
   * offer as much; nothing stays behind.
   */
  static async open(options: RingHeadOptions, ports: RingHeadPorts, hooks: LoadHooks): Promise<RingHead> {
    const { stages, claim } = await HeadStages.open(options, ports, hooks);
    let draftModel: DraftModel | null = null;
    try {
      checkContextFull(options.contextFull, stages.front.info);
      draftModel = await draftModelFor(options, stages, ports, hooks);
      const metered =
        options.nextHop === null
          ? localPipeline(options, stages, ports)
          : ringPipeline(options, options.nextHop, ports, stages);
      claim.became(draftModel === null ? 0 : totalOf(draftModel.memory()));
      return new RingHead(options, ports, { stages, draftModel, metered, claim });
    } catch (thrown) {
      await draftModel?.close();
      await Promise.all(stages.all().map((stage) => stage.close()));
      claim.release();
      throw thrown;
    }
  }

  /** Neither of its stages had to be loaded. */
  get kept(): boolean {
    return this.#stages.kept;
  }

  /** Sends empty micro-batches round the ring: opens every edge, shows that it closes, and makes a new way fast. */
  async check(isHealed: boolean): Promise<void> {
    const { pipeline } = this.#metered;
    await pipeline.run(new RingBatchBuilder(0).build(), () => {});
    if (pipeline.stageCount > 1 && !isHealed) await warmUp(pipeline, this.#clock);
  }

  /** Bytes of both of the head's stages and of the draft model; a tied embedding that both map from the file is in memory once. */
  memory(): StageMemoryRecord {
    const all = this.#stages.all().map((stage) => stage.memory());
    const drafting = this.#draftModel === null ? [] : [this.#draftModel.memory()];
    const sum = (kind: keyof StageMemoryRecord): number =>
      [...all, ...drafting].reduce((total, memory) => total + memory[kind], 0);
    const { front, output } = this.#stages;
    const shared = sharedBytes(this.#tiedEmbeddingBytes, front, output);
    return {
      weights: sum("weights") - shared,
      kvCache: sum("kvCache"),
      compute: sum("compute"),
      output: sum("output"),
    };
  }

  /** Of both of the head's stages; a device may come twice. */
  deviceMemory(): StageMemory["devices"] {
    return this.#stages.all().flatMap((stage) => stage.memory().devices);
  }

  load(): HeadLoad {
    const { engine } = this;
    return {
      ...engine.stats(),
      tokens: this.#meter.tokens(),
      hopMs: this.#metered.delays().map((seconds) => seconds * 1000),
      work: this.#metered.work(),
      hops: this.#metered.hops(),
      rates: engine.rates(),
      measured: engine.speeds.summary(),
    };
  }

  /** From the last stage, since the ring was loaded. */
  received(): ReceivedFrames {
    return this.#metered.received();
  }

  /** What was computed here with each part of the model. */
  parts(): readonly MeteredPart[] {
    return this.#metered.parts();
  }

  onBroken(listener: (error: ExoError) => void): void {
    this.#metered.pipeline.onBroken(listener);
  }

  /** Ends every request with `reason`, closes edges and stages, or keeps these. Idempotent. */
  close(reason: ExoError, keep: boolean): Promise<void> {
    if (keep) this.#stages.keep();
    const closed = this.engine.close(reason).then(() => this.#draftModel?.close());
    this.#claim.releaseAfter(closed);
    return closed;
  }
}

function observerOf({ ringId: id, model, nodes, meter }: RingHeadOptions, ports: RingHeadPorts): AnswerObserver {
  const { traces, clock, logger } = ports;
  return new AnswerObserver({ ring: { id, model, nodes }, meter, traces, clock, logger });
}

function speculatorOf({ speculation, stageCount, ring }: RingHeadOptions, model: DraftModel | null): Speculator | null {
  const { ngrams, draftTokens } = speculation;
  if (draftTokens === 0 || !(ngrams || model !== null)) return null;
  const perMicroBatch = outputRows(ring.slots, ring.batchSize, speculation) - ring.slots;
  return new Speculator({ stageCount, ngrams, model, perRequest: draftTokens, perMicroBatch });
}

async function draftModelFor(
  { speculation, ring, compute, nextHop }: RingHeadOptions,
  { front, output }: HeadStages,
  { watchdog, clock, logger }: RingHeadPorts,
  hooks: LoadHooks,
): Promise<DraftModel | null> {
  const { draftModel: file } = speculation;
  if (file === null) return null;
  if (front.info.canTrim) {
    const wholeTarget = nextHop === null;
    return openDraftModel({ file, target: output, ring, wholeTarget, compute, watchdog, clock, logger }, hooks);
  }
  logger.warn(
    { architecture: front.info.architecture },
    "no drafts: models of this architecture keep a recurrent state, of which rejected tokens cannot be taken back",
  );
  return null;
}

function totalOf({ weights, kvCache, compute, output }: StageMemoryRecord): number {
  return weights + kvCache + compute + output;
}

function checkContextFull(contextFull: ContextFull, { architecture, canShift, canTrim }: StageInfo): void {
  if (contextFull === "stop" || (canShift && canTrim)) return;
  throw new ExoError(
    "unsupported",
    `The cache of ${architecture} models cannot be moved to other positions, so a full context can only end an answer; ` +
      "start without --context-full shift.",
  );
}
