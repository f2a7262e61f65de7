import { at, listAt, numberAt, optionalNumberAt, textAt, textsAt } from "./json.js";

/** What may be asked of a plan or of a load; what is `null` is as the node's own settings say. */
export interface PlacementWishes {
  readonly contextSize: number | null;
  readonly slots: number | null;
  readonly strategy: string | null;
  /** Type of the KV cache. */
  readonly kv: string | null;
  /** A placement by hand, as `--layers` is written. */
  readonly layers: string | null;
}

/** The fields of a request's body; absent ones are as the node has them. */
export function wishFields({ contextSize, slots, strategy, kv, layers }: PlacementWishes): Record<string, unknown> {
  const fields = { context_size: contextSize, slots, strategy, kv, layers };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** What `POST /cluster/plan` answers. Sizes are bytes. */
export interface PlanDocument {
  readonly model: string;
  readonly strategy: string;
  readonly layerCount: number;
  readonly contextSize: number;
  readonly slots: number;
  readonly stages: readonly PlannedStage[];
  readonly unused: readonly { readonly nodeId: string; readonly nodeName: string; readonly reason: string }[];
  /** `null` while nothing is measured. */
  readonly predicted: PredictedSpeed | null;
  readonly reasons: readonly string[];
}

export interface PlannedStage {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly layerBegin: number;
  readonly layerEnd: number;
  readonly hasOutput: boolean;
  readonly weights: number;
  readonly kvCache: number;
  readonly compute: number;
  readonly offered: number;
  /** Of one token; `null` while nothing is measured. */
  readonly computeSeconds: number | null;
  readonly hopSeconds: number | null;
}

export interface PredictedSpeed {
  /** Of a model that is for embeddings alone: of texts, not of answers. */
  readonly embeddings: boolean;
  /** Length of the prompt that the TTFT is of, or of the text. */
  readonly promptTokens: number;
  readonly ttftSeconds: number;
  readonly decodeTokensPerSecond: number;
  /** With all slots busy. */
  readonly aggregateTokensPerSecond: number;
}

export function parsePlan(body: unknown): PlanDocument {
  return {
    model: textAt(body, "model"),
    strategy: textAt(body, "strategy"),
    layerCount: numberAt(body, "layer_count"),
    contextSize: numberAt(body, "context_size"),
    slots: numberAt(body, "slots"),
    stages: listAt(body, "stages").map(parseStage),
    unused: listAt(body, "unused").map((node) => ({
      nodeId: textAt(node, "node_id"),
      nodeName: textAt(node, "node_name") || textAt(node, "node_id"),
      reason: textAt(node, "reason"),
    })),
    predicted: parsePredicted(at(body, "predicted")),
    reasons: textsAt(body, "reasons"),
  };
}

function parseStage(stage: unknown): PlannedStage {
  return {
    nodeId: textAt(stage, "node_id"),
    nodeName: textAt(stage, "node_name") || textAt(stage, "node_id"),
    layerBegin: numberAt(stage, "layer_begin"),
    layerEnd: numberAt(stage, "layer_end"),
    hasOutput: at(stage, "has_output") === true,
    weights: numberAt(stage, "memory", "weights"),
    kvCache: numberAt(stage, "memory", "kv_cache"),
    compute: numberAt(stage, "memory", "compute"),
    offered: numberAt(stage, "memory", "offered"),
    computeSeconds: optionalNumberAt(stage, "predicted", "compute_seconds"),
    hopSeconds: optionalNumberAt(stage, "predicted", "hop_seconds"),
  };
}

function parsePredicted(predicted: unknown): PredictedSpeed | null {
  const decodeTokensPerSecond = optionalNumberAt(predicted, "decode_tokens_per_second");
  if (decodeTokensPerSecond === null) return null;
  return {
    embeddings: at(predicted, "embeddings") === true,
    promptTokens: numberAt(predicted, "prompt_tokens"),
    ttftSeconds: numberAt(predicted, "ttft_seconds"),
    decodeTokensPerSecond,
    aggregateTokensPerSecond: numberAt(predicted, "aggregate_tokens_per_second"),
  };
}

/** What `POST /cluster/estimate` answers. Sizes are bytes. */
export interface EstimateDocument {
  readonly quantisation: string;
  readonly parameters: number;
  readonly contextSize: number;
  readonly contextTrained: number;
  readonly slots: number;
  readonly weights: number;
  readonly kvCache: number;
  readonly compute: number;
  readonly total: number;
  /** `one-node`, `split` or `no`. */
  readonly fit: string;
  readonly largestContext: number;
  /** Sentences. */
  readonly advice: readonly string[];
}

export function parseEstimate(body: unknown): EstimateDocument {
  return {
    quantisation: textAt(body, "quantisation"),
    parameters: numberAt(body, "parameters"),
    contextSize: numberAt(body, "context_size"),
    contextTrained: numberAt(body, "context_trained"),
    slots: numberAt(body, "slots"),
    weights: numberAt(body, "memory", "weights"),
    kvCache: numberAt(body, "memory", "kv_cache"),
    compute: numberAt(body, "memory", "compute"),
    total: numberAt(body, "memory", "total"),
    fit: textAt(body, "fit"),
    largestContext: numberAt(body, "largest_context"),
    advice: textsAt(body, "advice"),
  };
}
