import type { Strategy } from "../config/config.js";
import type { StageMemory } from "../model/memory-estimate.js";
import type { Prediction } from "./predict.js";

/** One stage of a plan, in ring order. `stages[0]` is the head: embedding, first layers and output head. */
export interface PlannedStage {
  readonly nodeId: string;
  /** Half-open `[layerBegin, layerEnd)`. */
  readonly layerBegin: number;
  readonly layerEnd: number;
  readonly hasEmbedding: boolean;
  readonly hasOutput: boolean;
  /** Bytes. */
  readonly memory: StageMemory;
  /** Bytes that the head holds beside its stage, such as a model that drafts. Absent: none. */
  readonly besideBytes?: number;
}

/** Which node gets which layers, and why. Plain data. */
export interface Plan {
  /** Id of the model. */
  readonly model: string;
  readonly layerCount: number;
  readonly stages: readonly PlannedStage[];
  /** Node id of the head. */
  readonly head: string;
  readonly unused: readonly UnusedNode[];
  /** What it was chosen by; `memory-weighted` too where another was asked for and nothing is measured. */
  readonly strategy: Strategy;
  /** `null` while nothing is measured. */
  readonly predicted: Prediction | null;
  /** Sentences: what was aimed for, then one for each stage and each unused node. */
  readonly reasons: readonly string[];
}

export interface UnusedNode {
  readonly nodeId: string;
  readonly reason: string;
  /** Nobody looked whether it would be of use: it could not load its stage before. Absent: no. */
  readonly isLeftOut?: boolean;
}
