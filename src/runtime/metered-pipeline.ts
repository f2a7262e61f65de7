import type { HopTimesRecord, StageWorkRecord } from "../cluster/node-record.js";
import type { HostPort } from "../config/address.js";
import type { Clock } from "../core/ports.js";
import { HeadEdges } from "./head-edges.js";
import type { HeadStages } from "./head-stages.js";
import type { MeteredPart } from "./held-stage.js";
import { LocalPipeline } from "./local-pipeline.js";
import { MeteredStage, NOTHING_RECEIVED, type ReceivedFrames, type SentFrames } from "./metered-stage.js";
import type { Pipeline } from "./pipeline.js";
import type { RingHeadOptions, RingHeadPorts } from "./ring-head.js";
import { RingPipeline } from "./ring-pipeline.js";
import { frameLimits } from "./stage-settings.js";

/** The way round, and what is known of it. */
export interface MeteredPipeline {
  readonly pipeline: Pipeline;
  work(): StageWorkRecord;
  parts(): readonly MeteredPart[];
  hops(): HopTimesRecord | null;
  /** Seconds of each hop of the last way round. */
  delays(): readonly number[];
  /** By the edge that comes back to the head. */
  received(): ReceivedFrames;
}

/** Of a ring of one node. */
export function localPipeline(layerCount: number, stages: HeadStages, clock: Clock): MeteredPipeline {
  const metered = new MeteredStage(stages.output, () => stages.release(stages.output));
  return {
    pipeline: new LocalPipeline(metered, clock),
    work: () => metered.work(),
    parts: () => [{ layerBegin: 0, layerEnd: layerCount, hasOutput: true, passes: metered.passes() }],
    hops: () => null,
    delays: () => [],
    received: () => NOTHING_RECEIVED,
  };
}

/** Of a ring whose other stages are elsewhere. */
export function ringPipeline(
  options: RingHeadOptions,
  nextHop: HostPort,
  ports: RingHeadPorts,
  stages: HeadStages,
): MeteredPipeline {
  const front = new MeteredStage(stages.front, () => stages.release(stages.front));
  const output = new MeteredStage(stages.output, () => stages.release(stages.output));
  const outgoing = frameLimits(options.ring, stages.front.info.outputSize, options.stageCount);
  const incoming = frameLimits(options.ring, stages.output.info.inputSize, options.stageCount);
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
    onHops: (seconds) => options.meter.hopped(seconds),
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
    delays: () => pipeline.delays.latest,
    received: () => edges.received(),
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
