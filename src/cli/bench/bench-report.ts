import { ascending, quantile } from "../../core/statistics.js";
import type { NodeDocument, StageDocument } from "../node-client/cluster-document.js";
import type { BenchSample } from "./bench-cases.js";
import type { BenchRun } from "./bench-run.js";
import type { BenchTarget } from "./bench-target.js";
import { type MeasuredSpread, measuredSpread } from "./spread.js";
import type { RingWork } from "./stage-work.js";

/** What `exo-native bench --json` prints. Names as in the HTTP API; seconds, and tokens per second. */
export interface BenchReport {
  readonly model: string;
  readonly url: string;
  readonly version: string;
  readonly context_size: number;
  readonly slots: number;
  /** Requests of others that the ring was busy with when measuring began. */
  readonly other_requests: number;
  readonly seconds: number;
  /** Everything was measured at least once. */
  readonly complete: boolean;
  readonly left_out: readonly string[];
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly stages: readonly BenchStage[];
  /** Of a hop beyond computing, over the last ways round; `null` for one node, or where the ring does not tell. */
  readonly hop_seconds: { readonly p50: number; readonly p99: number } | null;
  readonly prompt: readonly {
    readonly tokens: number;
    readonly tokens_per_second: MeasuredSpread;
    readonly first_token_seconds: MeasuredSpread;
  }[];
  readonly decode: {
    readonly tokens_per_second: MeasuredSpread;
    readonly inter_token_seconds: { readonly p50: number; readonly p95: number; readonly p99: number } | null;
  } | null;
  readonly repeated_prompt: {
    readonly tokens: number;
    readonly cached_tokens: number;
    readonly cold_seconds: MeasuredSpread;
    readonly warm_seconds: MeasuredSpread;
  } | null;
  readonly streams: readonly { readonly streams: number; readonly tokens_per_second: MeasuredSpread }[];
}

export interface BenchStage {
  readonly node: string;
  readonly layer_begin: number;
  readonly layer_end: number;
  readonly has_output: boolean;
  readonly weight_bytes: number;
  /** Part of all computing that was done here, and part of the time that it took; `null` where the node does not tell. */
  readonly compute_share: number | null;
  readonly busy: number | null;
}

type SampleOf<Kind extends BenchSample["kind"]> = Extract<BenchSample, { readonly kind: Kind }>;

export function benchReport(
  target: Omit<BenchTarget, "stop">,
  slots: number,
  run: BenchRun,
  work: RingWork | null,
): BenchReport {
  const { client, model, cluster, ring } = target;
  const { failure, leftOut } = run;
  return {
    model: model.id,
    url: client.url.origin,
    version: cluster.node.version,
    context_size: ring.context_size,
    slots,
    other_requests: (ring.busy_slots ?? 0) + (ring.waiting_requests ?? 0),
    seconds: run.seconds,
    complete: failure === null && leftOut.length === 0,
    left_out: leftOut,
    failure: failure === null ? null : { code: failure.code, message: failure.message },
    stages: ring.stages.map((stage, index) => ({
      ...stageOf(stage, cluster.nodes),
      ...shareOf(work?.computeSeconds ?? [], index, run.seconds),
    })),
    hop_seconds: work?.hops ? { p50: work.hops.p50_ms / 1000, p99: work.hops.p99_ms / 1000 } : null,
    prompt: promptOf(run.samples),
    decode: decodeOf(run.samples),
    repeated_prompt: repeatOf(run.samples),
    streams: streamsOf(run.samples),
  };
}

function shareOf(computeSeconds: readonly (number | null)[], index: number, seconds: number) {
  const own = computeSeconds[index] ?? null;
  const all = computeSeconds.reduce<number | null>((sum, one) => (sum === null || one === null ? null : sum + one), 0);
  return {
    compute_share: own === null || all === null || all === 0 ? null : own / all,
    busy: own === null || seconds === 0 ? null : own / seconds,
  };
}

function stageOf(stage: StageDocument, nodes: readonly NodeDocument[]) {
  return {
    node: nodes.find((node) => node.id === stage.node_id)?.name ?? stage.node_id,
    layer_begin: stage.layer_begin,
    layer_end: stage.layer_end,
    has_output: stage.has_output,
    weight_bytes: stage.memory.weights,
  };
}

function ofKind<Kind extends BenchSample["kind"]>(samples: readonly BenchSample[], kind: Kind): SampleOf<Kind>[] {
  return samples.filter((sample): sample is SampleOf<Kind> => sample.kind === kind);
}

function promptOf(samples: readonly BenchSample[]): BenchReport["prompt"] {
  const found = ofKind(samples, "prompt").sort((a, b) => a.tokens - b.tokens);
  return distinct(found.map(({ tokens }) => tokens)).flatMap((tokens) => {
    const group = found.filter((sample) => sample.tokens === tokens);
    const speed = measuredSpread(group.map((sample) => sample.tokensPerSecond));
    const first = measuredSpread(group.map((sample) => sample.firstSeconds));
    return speed === null || first === null ? [] : [{ tokens, tokens_per_second: speed, first_token_seconds: first }];
  });
}

function decodeOf(samples: readonly BenchSample[]): BenchReport["decode"] {
  const found = ofKind(samples, "decode");
  const speed = measuredSpread(found.map((sample) => sample.tokensPerSecond));
  if (speed === null) return null;
  const gaps = ascending(found.flatMap((sample) => sample.gaps));
  const [p50, p95, p99] = [quantile(gaps, 0.5), quantile(gaps, 0.95), quantile(gaps, 0.99)];
  return { tokens_per_second: speed, inter_token_seconds: gaps.length === 0 ? null : { p50, p95, p99 } };
}

function repeatOf(samples: readonly BenchSample[]): BenchReport["repeated_prompt"] {
  const found = ofKind(samples, "repeat");
  const [last, cold, warm] = [
    found.at(-1),
    measuredSpread(found.map((sample) => sample.coldSeconds)),
    measuredSpread(found.map((sample) => sample.warmSeconds)),
  ];
  if (last === undefined || cold === null || warm === null) return null;
  return { tokens: last.tokens, cached_tokens: last.cachedTokens, cold_seconds: cold, warm_seconds: warm };
}

function streamsOf(samples: readonly BenchSample[]): BenchReport["streams"] {
  const found = ofKind(samples, "streams");
  return distinct(found.map(({ streams }) => streams)).flatMap((streams) => {
    const group = found.filter((sample) => sample.streams === streams);
    const speed = measuredSpread(group.map((sample) => sample.tokensPerSecond));
    return speed === null ? [] : [{ streams, tokens_per_second: speed }];
  });
}

function distinct(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)];
}
