import type { TraceSpan } from "../api/trace-document.js";

/** A span in its lane: where it lies of the whole, 0…1. */
export interface WaterfallBar {
  readonly left: number;
  readonly width: number;
  /** As measured. */
  readonly seconds: number;
}

/** All spans of one name at one place of one node. */
export interface Lane {
  readonly key: string;
  readonly nodeId: string;
  readonly stage: number | null;
  readonly name: string;
  readonly bars: readonly WaterfallBar[];
  /** Of all its spans together, and of the longest. */
  readonly seconds: number;
  readonly longest: number;
}

export interface Waterfall {
  /** Seconds from the first begin to the last end. */
  readonly seconds: number;
  /** Grouped by node, each node's lanes in the order in which they begin. */
  readonly lanes: readonly Lane[];
}

/** Lays spans out in lanes on one axis of time. */
export function waterfallOf(spans: readonly TraceSpan[]): Waterfall {
  const known = spans.filter(({ begin, end }) => Number.isFinite(begin) && Number.isFinite(end) && end >= begin);
  if (known.length === 0) return { seconds: 0, lanes: [] };
  const begin = known.reduce((least, span) => Math.min(least, span.begin), Number.POSITIVE_INFINITY);
  const end = known.reduce((most, span) => Math.max(most, span.end), Number.NEGATIVE_INFINITY);
  const seconds = end - begin;
  const groups = new Map<string, TraceSpan[]>();
  for (const span of known.toSorted(byBegin)) {
    const key = laneKey(span);
    const lane = groups.get(key) ?? [];
    lane.push(span);
    groups.set(key, lane);
  }
  const lanes = [...groups].flatMap(([key, members]) => laneOf(key, members, begin, seconds));
  const nodes = [...new Set(lanes.map(({ nodeId }) => nodeId))];
  return { seconds, lanes: lanes.toSorted((a, b) => nodes.indexOf(a.nodeId) - nodes.indexOf(b.nodeId)) };
}

/** What began first; of those the one that holds the others. */
function byBegin(a: TraceSpan, b: TraceSpan): number {
  return a.begin - b.begin || b.end - a.end;
}

function laneKey({ nodeId, stage, name }: TraceSpan): string {
  return JSON.stringify([nodeId, stage, name]);
}

function laneOf(key: string, members: readonly TraceSpan[], begin: number, whole: number): readonly Lane[] {
  const [first] = members;
  if (first === undefined) return [];
  const bars = members.map((span) => ({
    left: whole > 0 ? (span.begin - begin) / whole : 0,
    width: whole > 0 ? (span.end - span.begin) / whole : 1,
    seconds: span.seconds ?? span.end - span.begin,
  }));
  const { nodeId, stage, name } = first;
  return [
    {
      key,
      nodeId,
      stage,
      name,
      bars,
      seconds: bars.reduce((sum, bar) => sum + bar.seconds, 0),
      longest: Math.max(...bars.map((bar) => bar.seconds)),
    },
  ];
}
