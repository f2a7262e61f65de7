import type { HeldStage as HeldStageRecord, KeptStageRecord, NodeRecord, RingRecord } from "../cluster/node-record.js";
import type { Device } from "../native/devices.js";
import type { HeldStage } from "./held-stage.js";
import type { KeptStage } from "./kept-stages.js";

export interface OwnRecordSources extends Omit<NodeRecord, "devices" | "stages" | "kept" | "rings"> {
  readonly devices: readonly Device[];
  /** Rings whose head this node is. */
  readonly rings: readonly RingRecord[];
  /** Stages held for heads elsewhere. */
  readonly held: readonly HeldStage[];
  /** Stages that are loaded and in no ring. */
  readonly kept: readonly KeptStage[];
}

/** What this node says of itself to peers and to the API. */
export function ownRecord({ devices, rings, held, kept, ...rest }: OwnRecordSources): NodeRecord {
  return {
    ...rest,
    devices: devices.map((device) => ({ ...device })),
    stages: [...rings.flatMap(headStage), ...held.map(toStageRecord)],
    kept: kept.map(toKeptRecord),
    rings: [...rings],
  };
}

/** The head's own stage, from the ring it is the head of. */
function headStage(ring: RingRecord): HeldStageRecord[] {
  const [stage] = ring.stages;
  if (stage === undefined || ring.state !== "ready") return [];
  const { layerBegin, layerEnd, hasOutput, memory } = stage;
  return [
    {
      ringId: ring.id,
      epoch: ring.epoch,
      model: ring.model,
      stageIndex: 0,
      layerBegin,
      layerEnd,
      hasOutput,
      memory,
      work: ring.work,
    },
  ];
}

function toStageRecord(held: HeldStage): HeldStageRecord {
  const { stage, request } = held;
  const { weights, kvCache, compute, output } = stage.memory();
  const { place: at, model, layerBegin, layerEnd, hasOutput } = request;
  return {
    ringId: at.ringId,
    epoch: at.epoch,
    model,
    stageIndex: at.stageIndex,
    layerBegin,
    layerEnd,
    hasOutput,
    memory: { weights, kvCache, compute, output },
    work: held.work(),
  };
}

function toKeptRecord({ ringId, spec, stage, spare }: KeptStage): KeptStageRecord {
  const { layerBegin, layerEnd, hasOutput, contextSize = 0 } = stage.options;
  const { weights, kvCache, compute, output } = stage.memory();
  return {
    ...{ ringId, spec, layerBegin, layerEnd, hasOutput, contextSize, spare },
    memory: { weights, kvCache, compute, output },
  };
}
