import type { NodeRecord, RingRecord } from "../../cluster/node-record.js";
import type { RingTokensRecord } from "../../cluster/ring-tokens.js";

/** What flows through the rings. Its numbers only grow while a ring is the same, so two looks tell how fast. */
export interface ClusterActivity {
  readonly rings: readonly RingActivity[];
}

/** Tokens of requests; those of prompts that a KV cache held are among `prompt`, too. */
export interface TokensDocument {
  readonly prompt: number;
  readonly cached: number;
  readonly generated: number;
  readonly accepted_draft: number;
  readonly rejected_draft: number;
}

export interface RingActivity {
  readonly id: string;
  readonly epoch: number;
  readonly model: string;
  /** Of all requests for the model at this head. */
  readonly tokens: TokensDocument;
  readonly busy_slots: number;
  readonly waiting_requests: number;
  readonly micro_batches_under_way: number;
  readonly stages: readonly StageActivity[];
  /** Of the last micro-batch; none in a ring of one node, and before anything was computed. */
  readonly hops: readonly { readonly from_stage: number; readonly to_stage: number; readonly latest_ms: number }[];
}

export interface StageActivity {
  readonly node_id: string;
  readonly stage: number;
  readonly busy_seconds: number;
  readonly micro_batches: number;
  readonly rows: number;
  readonly bytes_sent: number;
}

/** @param nodes this one, and those that take part */
export function clusterActivity(nodes: readonly NodeRecord[]): ClusterActivity {
  const rings = nodes.flatMap((node) => node.rings).filter(({ state }) => state === "ready");
  return { rings: rings.map((ring) => ringActivity(ring, nodes)) };
}

function ringActivity(ring: RingRecord, nodes: readonly NodeRecord[]): RingActivity {
  const { hopMs } = ring;
  return {
    id: ring.id,
    epoch: ring.epoch,
    model: ring.model,
    tokens: toTokens(ring.tokens),
    busy_slots: ring.busySlots,
    waiting_requests: ring.waitingRequests,
    micro_batches_under_way: ring.microBatchesUnderWay,
    stages: nodes.flatMap((node) => stagesOf(node, ring)).toSorted((a, b) => a.stage - b.stage),
    hops: hopMs.map((latest, hop) => ({ from_stage: hop, to_stage: (hop + 1) % hopMs.length, latest_ms: latest })),
  };
}

export function toTokens({
  prompt,
  cached,
  generated,
  acceptedDraft,
  rejectedDraft,
}: RingTokensRecord): TokensDocument {
  return { prompt, cached, generated, accepted_draft: acceptedDraft, rejected_draft: rejectedDraft };
}

function stagesOf({ id, stages }: NodeRecord, ring: RingRecord): StageActivity[] {
  return stages
    .filter(({ ringId, epoch }) => ringId === ring.id && epoch === ring.epoch)
    .map(({ stageIndex, work }) => ({
      node_id: id,
      stage: stageIndex,
      busy_seconds: work.computeSeconds,
      micro_batches: work.microBatches,
      rows: work.rows,
      bytes_sent: work.bytesSent,
    }));
}
