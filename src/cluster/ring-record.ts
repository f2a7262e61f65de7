import { capabilitiesOf } from "../model/text-kind.js";
import type { Plan, PlannedStage } from "../planning/plan.js";
import { stageBytes } from "../planning/stages.js";
import type { HeadLoad } from "./head-port.js";
import type { PlaceableModel } from "./model-source.js";
import { NO_MEMORY, NO_WORK, type RingComputingRecord, type RingRecord, type RingStageRecord } from "./node-record.js";
import { NOTHING_MEASURED, type PredictedSpeed, predictionOf } from "./prediction-record.js";
import { NO_RATES } from "./ring-rates.js";
import type { RingSettings } from "./ring-settings.js";
import { NO_TOKENS } from "./ring-tokens.js";

/** Whether a ring answers to this name. */
export function answersTo(ring: Pick<RingRecord, "model" | "spec" | "askedAs">, model: string): boolean {
  return ring.model === model || ring.spec === model || ring.askedAs === model;
}

export interface NewRing {
  readonly id: string;
  readonly spec: string;
  readonly replica: number;
  readonly proposedBy: string;
  readonly pinned: boolean;
}

/** A model that was asked for and of which nothing is known yet. */
export function emptyRingRecord({ id, spec, replica, proposedBy, pinned }: NewRing): RingRecord {
  return {
    id,
    epoch: 0,
    model: spec,
    spec,
    askedAs: spec,
    replica,
    proposedBy,
    pinned,
    draining: false,
    gaveUp: false,
    idleSeconds: null,
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
    rates: NO_RATES,
    tokens: NO_TOKENS,
    hopMs: [],
    microBatchesUnderWay: 0,
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

/** With what its head does at this moment; `null`: it has none. */
export function withLoad(ring: RingRecord, load: HeadLoad | null, predicted: PredictedSpeed | null): RingRecord {
  return {
    ...ring,
    busySlots: load?.busySlots ?? 0,
    waitingRequests: load?.waiting ?? 0,
    work: load?.work ?? NO_WORK,
    hops: load?.hops ?? null,
    prediction: predictionOf(predicted, load?.measured ?? NOTHING_MEASURED),
    rates: load?.rates ?? NO_RATES,
    tokens: load?.tokens ?? NO_TOKENS,
    hopMs: [...(load?.hopMs ?? [])],
    microBatchesUnderWay: load?.microBatchesUnderWay ?? 0,
  };
}

/** What the API says of a model. */
export function cardOf({ info, bytes }: PlaceableModel): RingRecord["card"] {
  return {
    created: Math.floor(Date.now() / 1000),
    contextTrained: info.contextTrained,
    vocabularySize: info.vocabularySize,
    embeddingSize: info.embeddingSize,
    parameterCount: info.parameterCount,
    sizeBytes: bytes,
    architecture: info.architecture,
    capabilities: capabilitiesOf(info),
  };
}

export function computingOf(ring: RingSettings): RingComputingRecord {
  const { microBatchSize, kvTypeK, kvTypeV, flashAttention, wireType } = ring;
  return { ubatch: microBatchSize, kvTypeK, kvTypeV, flashAttention, wireType };
}

/** What a plan says of a ring; `again`: why a ring that worked is placed anew, or `null`. */
export function plannedRecord(plan: Plan, again: string | null, nameOf: (id: string) => string): Partial<RingRecord> {
  const planReasons = [...(again === null ? [] : [again]), ...plan.reasons];
  const stages = plan.stages.map((stage) => plannedStageRecord(stage, nameOf(stage.nodeId)));
  return { state: "loading", reason: null, layerCount: plan.layerCount, stages, planReasons };
}

/** A stage that is planned and holds nothing yet. */
export function plannedStageRecord(stage: PlannedStage, nodeName: string): RingStageRecord {
  const { nodeId, layerBegin, layerEnd, hasOutput, memory } = stage;
  return {
    nodeId,
    nodeName,
    layerBegin,
    layerEnd,
    hasOutput,
    plannedWeights: memory.weights,
    plannedBytes: stageBytes(stage),
    memory: NO_MEMORY,
    phase: "waiting",
    progress: 0,
  };
}

/** The node that reads about a model of which no layer is planned yet. */
export function unplannedStageRecord({ id, name }: { readonly id: string; readonly name: string }): RingStageRecord {
  const memory = { weights: 0, kvCache: 0, compute: 0 };
  const nothing = { layerBegin: 0, layerEnd: 0, hasEmbedding: true, hasOutput: true, memory };
  return plannedStageRecord({ nodeId: id, ...nothing }, name);
}
