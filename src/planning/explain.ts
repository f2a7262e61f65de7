import { formatByteSize } from "../config/byte-size.js";
import { totalBytes } from "../model/memory-estimate.js";
import { PREDICTED_PROMPT } from "./placement-task.js";
import type { PlannedStage, UnusedNode } from "./plan.js";
import type { Prediction, StageTimes } from "./predict.js";
import { type TopologyNode, usableMemory } from "./topology.js";

/** A node as people know it. */
export function nodeLabel(nodes: readonly TopologyNode[], nodeId: string): string {
  const node = nodes.find(({ id }) => id === nodeId);
  if (node === undefined) return nodeId;
  return nodes.filter(({ name }) => name === node.name).length === 1 ? node.name : `${node.name} (${node.id})`;
}

export function milliseconds(seconds: number): string {
  const value = seconds * 1000;
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

/** Two or three significant figures: more are not known. */
export function rate(tokensPerSecond: number): string {
  return `${tokensPerSecond.toFixed(tokensPerSecond < 10 ? 2 : tokensPerSecond < 100 ? 1 : 0)} tokens/s`;
}

export interface ExplainedPlan {
  /** What it aimed for, in sentences. */
  readonly aim: readonly string[];
  readonly stages: readonly PlannedStage[];
  readonly unused: readonly UnusedNode[];
  readonly nodes: readonly TopologyNode[];
  readonly predicted: Prediction | null;
  /** Requests answered at once. */
  readonly slots: number;
}

/** A plan in sentences: what it aimed for, then every stage, then every node that is not used. */
export function explainStages({ aim, stages, unused, nodes, predicted, slots }: ExplainedPlan): readonly string[] {
  return [
    ...aim,
    ...(predicted === null ? [] : [predictedText(predicted, slots)]),
    ...stages.map((stage, index) => explainStage(stage, index, nodes) + timesText(predicted, index)),
    ...unused.map(({ nodeId, reason }) => `${nodeLabel(nodes, nodeId)} is not used: ${reason}.`),
  ];
}

function predictedText(predicted: Prediction, slots: number): string {
  const { textTokens, decodeTokensPerSecond, aggregateTokensPerSecond, ttftSeconds } = predicted;
  if (textTokens !== null) {
    const more = slots === 1 ? "" : `, ${rate(aggregateTokensPerSecond)} with ${slots} together`;
    const each = `a text of ${textTokens} tokens takes ${milliseconds(ttftSeconds)}`;
    return `Predicted: embeddings: ${rate(decodeTokensPerSecond)} with texts one by one${more}; ${each}.`;
  }
  const together = slots === 1 ? "" : `, ${rate(aggregateTokensPerSecond)} for ${slots} together`;
  return (
    `Predicted: ${rate(decodeTokensPerSecond)} for one answer${together}; the first token of a ` +
    `${PREDICTED_PROMPT}-token prompt after ${milliseconds(ttftSeconds)}.`
  );
}

function explainStage(stage: PlannedStage, index: number, nodes: readonly TopologyNode[]): string {
  const node = nodes.find(({ id }) => id === stage.nodeId);
  const { weights, kvCache, compute } = stage.memory;
  const ends = stage.hasEmbedding ? ", the embedding and the output head" : "";
  const role = index === 0 ? "head" : `stage ${index}`;
  return (
    `${nodeLabel(nodes, stage.nodeId)} (${role}) holds layers ${stage.layerBegin}-${stage.layerEnd}${ends}: ` +
    `${formatByteSize(totalBytes(stage.memory))} of ${formatByteSize(node === undefined ? 0 : usableMemory(node))} ` +
    `(weights ${formatByteSize(weights)}, KV cache ${formatByteSize(kvCache)}, compute ${formatByteSize(compute)}).`
  );
}

function timesText(predicted: Prediction | null, stage: number): string {
  const times: StageTimes | undefined = predicted?.stages[stage];
  if (predicted === null || times === undefined) return "";
  const what = predicted.textTokens === null ? "a token" : "such a text";
  const hop = times.hopSeconds === 0 ? "" : `, and hands it on in ${milliseconds(times.hopSeconds)}`;
  return ` It computes ${what} in ${milliseconds(times.computeSeconds)}${hop}.`;
}
