import type { HeadRequest, LoadedHead } from "../cluster/head-port.js";
import type { HostPort } from "../config/address.js";
import type { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import { type LoadHooks, Stage, type StageInfo, type StageMemory } from "../native/stage.js";
import { Engine } from "./engine.js";
import { HeadEdges } from "./head-edges.js";
import { LocalPipeline } from "./local-pipeline.js";
import { RingBatchBuilder } from "./micro-batch.js";
import type { HopPorts } from "./outgoing-edge.js";
import type { Pipeline } from "./pipeline.js";
import { RingPipeline } from "./ring-pipeline.js";
import { type ComputeSettings, frameLimits, stageOptions } from "./stage-settings.js";

export interface RingHeadOptions extends HeadRequest {
  readonly compute: ComputeSettings;
  /** Requests that may wait for a slot. */
  readonly queueLimit: number;
  readonly roundTripDeadlineMs: number;
}

export interface RingHeadPorts extends HopPorts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A loaded head: stages, edges, scheduler. */
export class RingHead implements LoadedHead {
  readonly engine: Engine;
  readonly info: StageInfo;
  readonly #stages: readonly Stage[];
  readonly #pipeline: Pipeline;

  private constructor(engine: Engine, stages: readonly Stage[], info: StageInfo, pipeline: Pipeline) {
    this.engine = engine;
    this.#stages = stages;
    this.info = info;
    this.#pipeline = pipeline;
  }

  /** Loads the head's part of the model. Rejects as `Stage.load` does; nothing stays behind. */
  static async open(options: RingHeadOptions, ports: RingHeadPorts, hooks: LoadHooks): Promise<RingHead> {
    return options.nextHop === null
      ? openAlone(options, ports, hooks)
      : openRing(options, options.nextHop, ports, hooks);
  }

  static create(
    options: RingHeadOptions,
    ports: RingHeadPorts,
    stages: readonly [Stage, Stage],
    pipeline: Pipeline,
  ): RingHead {
    const [front, output] = stages;
    const engine = new Engine({
      outputStage: output,
      pipeline,
      slotCount: options.ring.slots,
      // The context is the same on every stage: what was asked for, though llama.cpp may round its caches up.
      contextSize: options.ring.contextSize,
      microBatchSize: options.ring.batchSize,
      queueLimit: options.queueLimit,
      canTrim: front.info.canTrim,
      clock: ports.clock,
      logger: ports.logger,
    });
    return new RingHead(engine, front === output ? [front] : stages, front.info, pipeline);
  }

  /** Sends an empty micro-batch round the ring: opens every edge and shows that it closes. */
  async check(): Promise<void> {
    await this.#pipeline.run(new RingBatchBuilder(0).build());
  }

  /** Bytes of both of the head's stages. */
  memory(): Omit<StageMemory, "devices"> {
    const all = this.#stages.map((stage) => stage.memory());
    const sum = (kind: "weights" | "kvCache" | "compute" | "output"): number =>
      all.reduce((total, memory) => total + memory[kind], 0);
    return { weights: sum("weights"), kvCache: sum("kvCache"), compute: sum("compute"), output: sum("output") };
  }

  load(): { readonly busySlots: number; readonly waiting: number } {
    return this.engine.stats();
  }

  onBroken(listener: (error: ExoError) => void): void {
    this.#pipeline.onBroken(listener);
  }

  /** Ends every request with `reason`, closes edges and stages. Idempotent. */
  async close(reason: ExoError): Promise<void> {
    await this.engine.close(reason);
  }
}

async function openAlone(options: RingHeadOptions, ports: RingHeadPorts, hooks: LoadHooks): Promise<RingHead> {
  const stage = await Stage.load(
    {
      ...stageOptions(options.ring, options.compute),
      modelPath: options.modelPath,
      layerBegin: 0,
      layerEnd: options.layerCount,
      hasOutput: true,
    },
    hooks,
  );
  return RingHead.create(options, ports, [stage, stage], new LocalPipeline(stage, ports.clock));
}

async function openRing(
  options: RingHeadOptions,
  nextHop: HostPort,
  ports: RingHeadPorts,
  hooks: LoadHooks,
): Promise<RingHead> {
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
    const output = await loadOutput(options, hooks);
    return connect(options, nextHop, ports, front, output);
  } catch (thrown) {
    await front.close();
    throw thrown;
  }
}

/** Final norm and lm_head; rows that come back need no context and no cache. */
async function loadOutput(options: RingHeadOptions, { signal }: LoadHooks): Promise<Stage> {
  return Stage.load(
    {
      ...stageOptions(options.ring, options.compute),
      contextSize: options.ring.batchSize,
      maxSequences: 1,
      modelPath: options.modelPath,
      layerBegin: options.layerCount,
      layerEnd: options.layerCount,
      hasOutput: true,
    },
    signal === undefined ? {} : { signal },
  );
}

function connect(
  options: RingHeadOptions,
  nextHop: HostPort,
  ports: RingHeadPorts,
  front: Stage,
  output: Stage,
): RingHead {
  const limits = frameLimits(options.ring, front.info.embeddingSize);
  const edges = new HeadEdges({
    ringId: options.ringId,
    epoch: options.epoch,
    stageCount: options.stageCount,
    nextHop,
    limits,
    ports,
    onFrame: (frame) => pipeline.onFrame(frame),
    onLost: (error) => pipeline.break(error),
  });
  const pipeline: RingPipeline = new RingPipeline({
    front,
    output,
    epoch: options.epoch,
    stageCount: options.stageCount,
    limits,
    wireType: options.ring.wireType,
    send: (frame) => edges.send(frame),
    disconnect: () => edges.close(),
    roundTripDeadlineMs: options.roundTripDeadlineMs,
    clock: ports.clock,
    logger: ports.logger,
  });
  return RingHead.create(options, ports, [front, output], pipeline);
}
