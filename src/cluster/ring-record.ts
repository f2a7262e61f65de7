import type { ResolvedModel } from "../model/resolved-model.js";
import { NO_MEMORY, NO_WORK, type RingComputingRecord, type RingRecord, type RingStageRecord } from "./node-record.js";
import { NOTHING_MEASURED, predictionOf } from "./prediction-record.js";
import type { RingSettings } from "./ring-settings.js";

/** Whether a ring answers to this name. */
export function answersTo(ring: Pick<RingRecord, "model" | "spec">, model: string): boolean {
  return ring.model === model || ring.spec === model;
}

/** A model that was asked for and of which nothing is known yet. */
export function emptyRingRecord(ringId: string, spec: string): RingRecord {
  return {
    id: ringId,
    epoch: 0,
    model: spec,
    spec,
    state: "waiting",
    reason: null,
    layerCount: 0,
    contextSize: 0,
    slots: 0,
    busySlots: 0,
    waitingRequests: 0,
    computing: null,
    work: NO_WORK,
    hops: null,
    stages: [],
    planReasons: [],
    prediction: predictionOf(null, NOTHING_MEASURED),
    card: {
      created: Math.floor(Date.now() / 1000),
      contextTrained: 0,
      vocabularySize: 0,
      embeddingSize: 0,
      parameterCount: 0,
      sizeBytes: 0,
      architecture: "",
    },
  };
}

/** What the API says of a model. */
export function cardOf({ info, bytes }: ResolvedModel): RingRecord["card"] {
  return {
    created: Math.floor(Date.now() / 1000),
    contextTrained: info.contextTrained,
    vocabularySize: info.vocabularySize,
    embeddingSize: info.embeddingSize,
    parameterCount: info.parameterCount,
    sizeBytes: bytes,
    architecture: info.architecture,
  };
}

export function computingOf(ring: RingSettings): RingComputingRecord {
  const { microBatchSize, kvTypeK, kvTypeV, flashAttention, wireType } = ring;
  return { ubatch: microBatchSize, kvTypeK, kvTypeV, flashAttention, wireType };
}

/** A stage that is planned and holds nothing yet. */
export function plannedStageRecord(
  nodeId: string,
  nodeName: string,
  layerBegin: number,
  layerEnd: number,
  hasOutput: boolean,
  plannedWeights: number,
): RingStageRecord {
  return {
    nodeId,
    nodeName,
    layerBegin,
    layerEnd,
    hasOutput,
    plannedWeights,
    memory: NO_MEMORY,
    phase: "waiting",
    progress: 0,
  };
}
