import type { HopTimesRecord, StageWorkRecord } from "../cluster/node-record.js";
import type { HostPort } from "../config/address.js";
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
export function localPipeline(
  { layerCount, model }: Pick<RingHeadOptions, "layerCount" | "model">,
  stages: HeadStages,
  { watchdog, clock }: Pick<RingHeadPorts, "watchdog" | "clock">,
): MeteredPipeline {
  const metered = new MeteredStage(watchdog.watch(stages.output, model), () => stages.release(stages.output));
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
  const { model, layerEnd, nodes } = options;
  const { watch, watchdog } = ports;
  const watchedFront = watchdog.watch(stages.front, `layers 0-${layerEnd} of ${model}`);
  const watchedOutput = watchdog.watch(stages.output, `the output head of ${model}`);
  const front = new MeteredStage(watchedFront, () => stages.release(stages.front));
  const output = new MeteredStage(watchedOutput, () => stages.release(stages.output));
  const outgoing = frameLimits(options.ring, stages.front.info.outputSize, options.stageCount);
  const incoming = frameLimits(options.ring, stages.output.info.inputSize, options.stageCount);
  const edges = new HeadEdges({
    ringId: options.ringId,
    epoch: options.epoch,
    stageCount: options.stageCount,
    nextHop,
    nextNode: nodes[1] ?? "",
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
    disconnect: () => {
      for (const unwatch of unwatches) unwatch();
      return edges.close();
    },
    roundTripDeadlineMs: options.roundTripDeadlineMs,
    onHops: (seconds) => options.meter.hopped(seconds),
    clock: ports.clock,
    logger: ports.logger,
  });
  // Also those that no edge connects with the head: their neighbours notice, and would say so a little later.
  const unwatches = nodes.slice(1).map((node) => watch.onSilent(node, (reason) => pipeline.break(reason)));
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
