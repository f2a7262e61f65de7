import type { Span, SpanValue } from "../../core/trace.js";
import { LEG_NUMBERS, type PassGroup } from "./passes.js";

/** Where spans of micro-batches belong. */
export interface PassPlace {
  /** Ids of the ring's nodes, the head first. */
  readonly nodes: readonly string[];
  /** From milliseconds of the node's monotonic clock to seconds since the Unix epoch. */
  readonly toSeconds: (milliseconds: number) => number;
  readonly attributes: Readonly<Record<string, SpanValue>>;
}

/**
 * A span for the group, and within it one for each stage's computing, each hop and the sampling. All are placed by the
 * head's clock: it knows when the group began and ended, and how long each part took, not when. Parts are laid end to end
 * in the order of the ring. Of several micro-batches the sums are laid so, and where some were under way at the same time
 * all are drawn shorter, so that they fit; `seconds` says what was measured.
 */
export function passSpans(name: "prefill" | "decode", group: PassGroup, place: PassPlace): Span[] {
  const begin = place.toSeconds(group.begun);
  const end = place.toSeconds(group.ended);
  const { nodes } = place;
  const span: Span = {
    name,
    nodeId: nodes[0] ?? "",
    stage: 0,
    begin,
    end,
    attributes: {
      ...place.attributes,
      micro_batches: group.microBatches,
      tokens: group.tokens,
      rows: group.rows,
      requests: group.requests,
    },
  };
  return [span, ...partsOf(group, place, begin, end)];
}

function partsOf({ legs, hops }: PassGroup, place: PassPlace, begin: number, end: number): Span[] {
  const legCount = legs.length / LEG_NUMBERS;
  const measured = hops.reduce((sum, seconds) => sum + seconds, 0) + sumOfLegs(legs);
  const scale = measured > end - begin && measured > 0 ? (end - begin) / measured : 1;
  const line = new Line(place, begin, scale);
  for (let leg = 0; leg < legCount; leg += 1) {
    line.leg(leg % Math.max(1, hops.length), legs.subarray(leg * LEG_NUMBERS, (leg + 1) * LEG_NUMBERS));
    const hop = hops[leg];
    if (hop !== undefined) line.hop(leg, (leg + 1) % hops.length, hop);
  }
  return line.spans;
}

function sumOfLegs(legs: Float64Array): number {
  return legs.reduce((sum, seconds, index) => (index % LEG_NUMBERS === 0 ? sum + seconds : sum), 0);
}

/** Lays parts end to end. */
class Line {
  readonly spans: Span[] = [];
  readonly #place: PassPlace;
  readonly #scale: number;
  #at: number;

  constructor(place: PassPlace, begin: number, scale: number) {
    this.#place = place;
    this.#at = begin;
    this.#scale = scale;
  }

  /** Computing stands at the end of the time that the stage had the micro-batch; its queue is before it. */
  leg(stage: number, [seconds = 0, compute = 0, queue = 0, sampling = 0]: Float64Array): void {
    const end = this.#at + seconds * this.#scale;
    const begin = end - Math.min(compute, seconds) * this.#scale;
    this.#add("compute", stage, begin, end, { seconds: compute, queue_seconds: queue, stage_seconds: seconds });
    if (sampling > 0) this.#add("sample", stage, end - sampling * this.#scale, end, { seconds: sampling });
    this.#at = end;
  }

  hop(from: number, to: number, seconds: number): void {
    const end = this.#at + seconds * this.#scale;
    this.#add("hop", from, this.#at, end, { seconds, from_stage: from, to_stage: to });
    this.#at = end;
  }

  #add(name: string, stage: number, begin: number, end: number, attributes: Record<string, SpanValue>): void {
    const { nodes, attributes: common } = this.#place;
    this.spans.push({ name, nodeId: nodes[stage] ?? "", stage, begin, end, attributes: { ...common, ...attributes } });
  }
}
