import type { HeadLoad, HeadRequest, LoadedHead } from "../cluster/head-port.js";
import type { HopTimesRecord, StageMemoryRecord, StageWorkRecord } from "../cluster/node-record.js";
import type { RingSettings } from "../cluster/ring-settings.js";
import type { HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import { type LoadHooks, Stage, type StageInfo } from "../native/stage.js";
import type { ContextFull } from "./context-shift.js";
import { Engine } from "./engine.js";
import { HeadEdges } from "./head-edges.js";
import type { MeteredPart } from "./held-stage.js";
import { LocalPipeline } from "./local-pipeline.js";
import { MeteredStage, type SentFrames } from "./metered-stage.js";
import { RingBatchBuilder } from "./micro-batch.js";
import type { HopPorts } from "./outgoing-edge.js";
import type { Pipeline } from "./pipeline.js";
import { RingPipeline } from "./ring-pipeline.js";
import type { DraftModel } from "./speculation/draft-model.js";
import { openDraftModel } from "./speculation/open-draft-model.js";
import { outputRows, type SpeculationSettings } from "./speculation/settings.js";
import { Speculator } from "./speculation/speculator.js";
import { type ComputeSettings, frameLimits, stageOptions } from "./stage-settings.js";
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
}

export interface RingHeadPorts extends HopPorts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where a token's way round begins and where it ends, and what drafts for it. */
interface HeadParts extends HeadStages {
  readonly draftModel: DraftModel | null;
  readonly metered: MeteredPipeline;
}

interface HeadStages {
  /** Embedding and the head's layers. */
  readonly front: Stage;
  /** Output head. */
  readonly output: Stage;
}

/** The way round, and what is known of it. */
interface MeteredPipeline {
  readonly pipeline: Pipeline;
  work(): StageWorkRecord;
  parts(): readonly MeteredPart[];
  hops(): HopTimesRecord | null;
}

/** A loaded head: stages, edges, scheduler. */
export class RingHead implements LoadedHead {
  readonly engine: Engine;
  readonly info: StageInfo;
  readonly #stages: readonly Stage[];
  readonly #metered: MeteredPipeline;
  readonly #draftModel: DraftModel | null;
  readonly #clock: Clock;
  readonly #tiedEmbeddingBytes: number;
  readonly ring: RingSettings;
  readonly compute: ComputeSettings;

  private constructor(options: RingHeadOptions, ports: RingHeadPorts, parts: HeadParts) {
    const { front, output, draftModel, metered } = parts;
    this.info = front.info;
    this.#stages = front === output ? [front] : [front, output];
    this.#metered = metered;
    this.#draftModel = draftModel;
    this.#clock = ports.clock;
    this.#tiedEmbeddingBytes = options.tiedEmbeddingBytes;
    this.ring = options.ring;
    this.compute = options.compute;
    this.engine = new Engine({
      outputStage: output,
      pipeline: metered.pipeline,
      slotCount: options.ring.slots,
      // The context is the same on every stage: what was asked for, though llama.cpp may round its caches up.
      contextSize: options.ring.contextSize,
      microBatchSize: options.ring.batchSize,
      queueLimit: options.queueLimit,
      contextFull: options.contextFull,
      requestTimeout: options.requestTimeout,
      speculator: speculatorOf(options, draftModel),
      sampling: options.sampling,
      canTrim: front.info.canTrim,
      clock: ports.clock,
      logger: ports.logger,
    });
  }

  /** Loads the head's part of the model. Rejects as `Stage.load` does; nothing stays behind. */
  static async open(options: RingHeadOptions, ports: RingHeadPorts, hooks: LoadHooks): Promise<RingHead> {
    const stages = options.nextHop === null ? await loadWhole(options, hooks) : await loadEnds(options, hooks);
    let draftModel: DraftModel | null = null;
    try {
      checkContextFull(options.contextFull, stages.front.info);
      draftModel = await draftModelFor(options, stages, ports, hooks);
      const metered =
        options.nextHop === null
          ? localPipeline(options.layerCount, stages.output, ports.clock)
          : ringPipeline(options, options.nextHop, ports, stages);
      return new RingHead(options, ports, { ...stages, draftModel, metered });
    } catch (thrown) {
      await draftModel?.close();
      await Promise.all([stages.front.close(), stages.output.close()]);
      throw thrown;
    }
  }

  /** Sends empty micro-batches round the ring: opens every edge, shows that it closes, and makes the way fast. */
  async check(): Promise<void> {
    const { pipeline } = this.#metered;
    await pipeline.run(new RingBatchBuilder(0).build(), () => {});
    if (pipeline.stageCount > 1) await warmUp(pipeline, this.#clock);
  }

  /** Bytes of both of the head's stages and of the draft model; a tied embedding that both map from the file is in memory once. */
  memory(): StageMemoryRecord {
    const all = this.#stages.map((stage) => stage.memory());
    const drafting = this.#draftModel === null ? [] : [this.#draftModel.memory()];
    const sum = (kind: keyof StageMemoryRecord): number =>
      [...all, ...drafting].reduce((total, memory) => total + memory[kind], 0);
    const [front, output] = all;
    const shared =
      front === undefined || output === undefined
        ? 0
        : Math.min(this.#tiedEmbeddingBytes, front.weightsMapped, output.weightsMapped);
    return {
      weights: sum("weights") - shared,
      kvCache: sum("kvCache"),
      compute: sum("compute"),
      output: sum("output"),
    };
  }

  load(): HeadLoad {
    const { engine } = this;
    return {
      ...engine.stats(),
      work: this.#metered.work(),
      hops: this.#metered.hops(),
      rates: engine.rates(),
      measured: engine.speeds.summary(),
    };
  }

  /** What was computed here with each part of the model. */
  parts(): readonly MeteredPart[] {
    return this.#metered.parts();
  }

  onBroken(listener: (error: ExoError) => void): void {
    this.#metered.pipeline.onBroken(listener);
  }

  /** Ends every request with `reason`, closes edges and stages. Idempotent. */
  async close(reason: ExoError): Promise<void> {
    await this.engine.close(reason);
    await this.#draftModel?.close();
  }
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
  { clock, logger }: RingHeadPorts,
  hooks: LoadHooks,
): Promise<DraftModel | null> {
  const { draftModel: file } = speculation;
  if (file === null) return null;
  if (front.info.canTrim) {
    const wholeTarget = nextHop === null;
    return openDraftModel({ file, target: output, ring, wholeTarget, compute, clock, logger }, hooks);
  }
  logger.warn(
    { architecture: front.info.architecture },
    "no drafts: models of this architecture keep a recurrent state, of which rejected tokens cannot be taken back",
  );
  return null;
}

function checkContextFull(contextFull: ContextFull, { architecture, canShift, canTrim }: StageInfo): void {
  if (contextFull === "stop" || (canShift && canTrim)) return;
  throw new ExoError(
    "unsupported",
    `The cache of ${architecture} models cannot be moved to other positions, so a full context can only end an answer; ` +
      "start without --context-full shift.",
  );
}

/** A ring of one node: one stage is both. */
async function loadWhole(options: RingHeadOptions, hooks: LoadHooks): Promise<HeadStages> {
  const stage = await Stage.load(
    {
      ...stageOptions(options.ring, options.compute),
      modelPath: options.modelPath,
      layerBegin: 0,
      layerEnd: options.layerCount,
      hasOutput: true,
      maxOutputs: outputRows(options.ring.slots, options.ring.batchSize, options.speculation),
    },
    hooks,
  );
  return { front: stage, output: stage };
}

async function loadEnds(options: RingHeadOptions, hooks: LoadHooks): Promise<HeadStages> {
  const front = await Stage.load(
    {
      ...stageOptions(options.ring, options.compute),
      modelPath: options.modelPath,
      layerBegin: 0,
      layerEnd: options.layerEnd,
      hasOutput: false,
    },
    hooks,
  );
  try {
    return { front, output: await loadOutput(options, hooks) };
  } catch (thrown) {
    await front.close();
    throw thrown;
  }
}

/** Final norm and lm_head: no layers, so no cache whatever the context. */
async function loadOutput(options: RingHeadOptions, { signal }: LoadHooks): Promise<Stage> {
  return Stage.load(
    {
      ...stageOptions(options.ring, options.compute),
      modelPath: options.modelPath,
      layerBegin: options.layerCount,
      layerEnd: options.layerCount,
      hasOutput: true,
      maxOutputs: outputRows(options.ring.slots, options.ring.batchSize, options.speculation),
    },
    signal === undefined ? {} : { signal },
  );
}

function localPipeline(layerCount: number, stage: Stage, clock: Clock): MeteredPipeline {
  const metered = new MeteredStage(stage);
  return {
    pipeline: new LocalPipeline(metered, clock),
    work: () => metered.work(),
    parts: () => [{ layerBegin: 0, layerEnd: layerCount, hasOutput: true, passes: metered.passes() }],
    hops: () => null,
  };
}

function ringPipeline(
  options: RingHeadOptions,
  nextHop: HostPort,
  ports: RingHeadPorts,
  stages: HeadStages,
): MeteredPipeline {
  const front = new MeteredStage(stages.front);
  const output = new MeteredStage(stages.output);
  const outgoing = frameLimits(options.ring, stages.front.info.outputSize);
  const incoming = frameLimits(options.ring, stages.output.info.inputSize);
  const edges = new HeadEdges({
    ringId: options.ringId,
    epoch: options.epoch,
    stageCount: options.stageCount,
    nextHop,
    outgoing,
    incoming,
    ports,
    onFrame: (frame) => pipeline.onFrame(frame),
    onLost: (error) => pipeline.break(error),
  });
  const pipeline: RingPipeline = new RingPipeline({
    front,
    output,
    epoch: options.epoch,
    stageCount: options.stageCount,
    limits: incoming,
    outputSize: outgoing.embeddingSize,
    wireType: options.ring.wireType,
    send: (frame) => edges.send(frame),
    disconnect: () => edges.close(),
    roundTripDeadlineMs: options.roundTripDeadlineMs,
    clock: ports.clock,
    logger: ports.logger,
  });
  return {
    pipeline,
    work: () => headWork(front, output, edges.sent()),
    parts: () => [
      { layerBegin: 0, layerEnd: options.layerEnd, hasOutput: false, passes: front.passes() },
      { layerBegin: options.layerCount, layerEnd: options.layerCount, hasOutput: true, passes: output.passes() },
    ],
    hops: () => pipeline.hops.summary(),
  };
}

/** The output head belongs to the head's work, but a micro-batch that comes back to it is not another one. */
function headWork(front: MeteredStage, output: MeteredStage, sent: SentFrames): StageWorkRecord {
  const first = front.work(sent);
  const last = output.work();
  return {
    ...first,
    copies: first.copies + last.copies,
    computeSeconds: first.computeSeconds + last.computeSeconds,
  };
}
