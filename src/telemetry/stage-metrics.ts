import type { HeldStage as HeldStageRecord } from "../cluster/node-record.js";
import type { DistributionReading, Metrics, Reading } from "../core/ports.js";
import type { StageMemory } from "../native/stage.js";
import type { ReceivedFrames } from "../runtime/metered-stage.js";
import { modelNames } from "./known-rings.js";
import type { NodeMetricSources } from "./node-metrics.js";

const STAGE = ["model", "stage"];
const HOP = ["model", "hop"];

/** What the stages on this node do. Counters begin anew when a stage is loaded again. */
export function registerStageMetrics(metrics: Metrics, sources: NodeMetricSources): void {
  registerWork(metrics, sources);
  registerHops(metrics, sources);
  metrics.gauge(
    {
      name: "exo_native_stage_memory_bytes",
      help: "Memory of a stage on a device: weights, kv_cache or compute",
      labels: [...STAGE, "device", "use"],
    },
    () => [...ownMemory(sources), ...heldMemory(sources)],
  );
}

function registerWork(metrics: Metrics, sources: NodeMetricSources): void {
  const perStage = (measure: (work: HeldStageRecord["work"]) => number) => (): readonly Reading[] => {
    const nameOf = modelNames(sources);
    return sources.self().stages.map(({ ringId, stageIndex, work }) => ({
      labels: [nameOf(ringId), String(stageIndex)],
      value: measure(work),
    }));
  };
  metrics.counter(
    {
      name: "exo_native_stage_compute_seconds_total",
      help: "Time on the threads of the stage; 0 is the head, with its output head",
      labels: STAGE,
    },
    perStage((work) => work.computeSeconds),
  );
  metrics.counter(
    { name: "exo_native_stage_micro_batches_total", help: "Micro-batches that the stage computed", labels: STAGE },
    perStage((work) => work.microBatches),
  );
  metrics.counter(
    { name: "exo_native_stage_rows_total", help: "Rows that the stage computed", labels: STAGE },
    perStage((work) => work.rows),
  );
}

function registerHops(metrics: Metrics, sources: NodeMetricSources): void {
  metrics.histogram(
    {
      name: "exo_native_hop_seconds",
      help: "Time of a micro-batch from stage to stage, told by the head",
      labels: HOP,
    },
    () => hopTimes(sources),
  );
  metrics.counter(
    {
      name: "exo_native_hop_sent_bytes_total",
      help: "Bytes of frames that this node sent to the next stage",
      labels: HOP,
    },
    () => sentBytes(sources),
  );
  metrics.counter(
    {
      name: "exo_native_hop_received_bytes_total",
      help: "Bytes of frames that reached this node from the stage before",
      labels: HOP,
    },
    () => receivedBytes(sources),
  );
}

/** `2-0`: from the third stage to the head. */
function hopName(from: number, stageCount: number): string {
  return `${from}-${(from + 1) % stageCount}`;
}

function hopTimes({ meters }: NodeMetricSources): DistributionReading[] {
  return [...meters.models()].flatMap(([model, meter]) => {
    const hops = meter.hops();
    return hops.map((distribution, from) => ({ labels: [model, hopName(from, hops.length)], distribution }));
  });
}

function sentBytes(sources: NodeMetricSources): Reading[] {
  const { rings, stages } = sources;
  const nameOf = modelNames(sources);
  const own = rings()
    .map((ring) => ring.record())
    .filter((ring) => ring.state === "ready" && ring.stages.length > 1)
    .map(({ model, stages: { length }, work }) => ({ labels: [model, hopName(0, length)], value: work.bytesSent }));
  const held = stages().map((stage) => {
    const { ringId, stageIndex, stageCount } = stage.request.place;
    return { labels: [nameOf(ringId), hopName(stageIndex, stageCount)], value: stage.work().bytesSent };
  });
  return [...own, ...held];
}

function receivedBytes(sources: NodeMetricSources): Reading[] {
  const { rings, stages } = sources;
  const nameOf = modelNames(sources);
  const reading = (model: string, from: number, stageCount: number, { bytesReceived }: ReceivedFrames): Reading => ({
    labels: [model, hopName(from, stageCount)],
    value: bytesReceived,
  });
  const own = rings().flatMap((ring) => {
    const { model, stages: all } = ring.record();
    return ring.head === null || all.length < 2
      ? []
      : [reading(model, all.length - 1, all.length, ring.head.received())];
  });
  const held = stages().map((stage) => {
    const { ringId, stageIndex, stageCount } = stage.request.place;
    return reading(nameOf(ringId), stageIndex - 1, stageCount, stage.received());
  });
  return [...own, ...held];
}

type DeviceMemory = StageMemory["devices"][number];

function ownMemory({ rings }: NodeMetricSources): Reading[] {
  return rings().flatMap((ring) => {
    const { head } = ring;
    return head === null ? [] : memoryReadings(ring.record().model, 0, () => head.deviceMemory());
  });
}

function heldMemory(sources: NodeMetricSources): Reading[] {
  const nameOf = modelNames(sources);
  return sources
    .stages()
    .flatMap(({ stage, request: { place } }) =>
      memoryReadings(nameOf(place.ringId), place.stageIndex, () => stage.memory().devices),
    );
}

function memoryReadings(model: string, stage: number, devices: () => readonly DeviceMemory[]): Reading[] {
  return devicesIfOpen(devices).flatMap(({ name, weights, kvCache, compute }) => {
    const reading = (use: string, value: number): Reading => ({ labels: [model, String(stage), name, use], value });
    return [reading("weights", weights), reading("kv_cache", kvCache), reading("compute", compute)];
  });
}

/** A stage that is just being closed holds nothing any more, and says so by an error. */
function devicesIfOpen(devices: () => readonly DeviceMemory[]): readonly DeviceMemory[] {
  try {
    return devices();
  } catch {
    return [];
  }
}
