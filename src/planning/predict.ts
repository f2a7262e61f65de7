import { passCosts } from "./pass-time.js";
import { prefillChunk } from "./prefill-chunk.js";
import { decodeCosts, hopSeconds, lapOf, stageBusy } from "./ring/ring-costs.js";
import { throughputObjective } from "./ring/ring-objective.js";
import { FRAME_BYTES, type RingProblem, type RingStage, ROW_BYTES } from "./ring/ring-problem.js";

/** What a ring is expected to do. Of a model that is for embeddings alone it is told what texts take, not answers. */
export interface Prediction {
  /** Tokens of the text whose embedding is predicted; `null`: the model answers. */
  readonly textTokens: number | null;
  /** From the request to the first token of a prompt of `PREDICTED_PROMPT` tokens, or to the embedding of a text, on a ring that does nothing else. */
  readonly ttftSeconds: number;
  /** Of one stream, with so many tokens in its cache; of texts that are sent one after the other. */
  readonly decodeTokensPerSecond: number;
  /** Of all streams together, with every slot busy. */
  readonly aggregateTokensPerSecond: number;
  /** Of one token of one stream, or of one text, by stage. */
  readonly stages: readonly StageTimes[];
}

export interface StageTimes {
  readonly computeSeconds: number;
  /** To the next stage; from the last one to the head. 0 on one node. */
  readonly hopSeconds: number;
}

export interface PredictionNeeds {
  readonly promptTokens: number;
  /** Rows in one micro-batch at most. */
  readonly microBatchSize: number;
  /** Streams at once. */
  readonly slots: number;
  /** As `Prediction.textTokens`. */
  readonly textTokens: number | null;
}

export function predictRing(problem: RingProblem, ring: readonly RingStage[], needs: PredictionNeeds): Prediction {
  const costs = decodeCosts(problem, 1);
  const lap = lapOf(costs, ring).seconds;
  const { textTokens, slots } = needs;
  return {
    textTokens,
    ttftSeconds: textTokens === null ? prefillSeconds(problem, ring, needs) : lap,
    decodeTokensPerSecond: problem.requestRows / lap,
    aggregateTokensPerSecond: (slots * problem.requestRows) / throughputObjective(problem, slots).of(ring),
    stages: ring.map((stage, index) => {
      const next = ring[(index + 1) % ring.length];
      return {
        computeSeconds: stageBusy(costs, stage, index === 0),
        hopSeconds: next === undefined || ring.length === 1 ? 0 : hopSeconds(costs, stage.node, next.node, stage.end),
      };
    }),
  };
}

/**
 * A prompt in chunks that follow each other: each stage and each link takes one at a time. With M equal chunks on N
 * equal stages that is (M + N - 1) times a chunk's time on one stage.
 */
export function prefillSeconds(problem: RingProblem, ring: readonly RingStage[], needs: PredictionNeeds): number {
  const chunk = prefillChunk(ring.length, needs.microBatchSize, needs.promptTokens);
  const stageFree = ring.map(() => 0);
  const linkFree = ring.map(() => 0);
  let back = 0;
  for (let begin = 0; begin < needs.promptTokens; begin += chunk) {
    const rows = Math.min(chunk, needs.promptTokens - begin);
    back = 0;
    for (const [index, stage] of ring.entries()) {
      const computed = Math.max(back, stageFree[index] ?? 0) + stageSeconds(problem, stage, rows, begin);
      stageFree[index] = computed;
      back = computed;
      if (ring.length === 1) break;
      const isLast = index === ring.length - 1;
      const link = problem.links[stage.node]?.[ring[isLast ? 0 : index + 1]?.node ?? 0];
      // Only the row whose token is sampled goes back to the head.
      const bytes = FRAME_BYTES + (isLast ? 1 : rows) * (ROW_BYTES + (problem.rowBytes[stage.end] ?? 0));
      const sent =
        Math.max(computed, linkFree[index] ?? 0) + bytes / (link?.bytesPerSecond ?? Number.POSITIVE_INFINITY);
      linkFree[index] = sent;
      back = sent + (link?.seconds ?? 0);
    }
  }
  const [head] = ring;
  const speed = problem.nodes[head?.node ?? 0]?.speed;
  return Math.max(back, stageFree[0] ?? 0) + (speed === undefined ? 0 : passCosts(speed, 1, 0, 1).output);
}

function stageSeconds(problem: RingProblem, { node, begin, end }: RingStage, rows: number, cached: number): number {
  const speed = problem.nodes[node]?.speed;
  if (speed === undefined) return Number.POSITIVE_INFINITY;
  const { upTo, fixed } = passCosts(speed, rows, cached, 0);
  return fixed + (upTo[end] ?? 0) - (upTo[begin] ?? 0);
}
