import type { TraceDocument, TraceSpan } from "./trace-document.js";

/** https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU ("Trace Event Format"). */
export interface ChromeTrace {
  readonly displayTimeUnit: "ms";
  readonly otherData: { readonly request_id: string; readonly trace_id: string };
  readonly traceEvents: readonly ChromeEvent[];
}

export type ChromeEvent =
  /** A name for a process or a thread. */
  | {
      readonly ph: "M";
      readonly name: "process_name" | "thread_name";
      readonly pid: number;
      readonly tid: number;
      readonly args: { readonly name: string };
    }
  /** A span. Microseconds. */
  | {
      readonly ph: "X";
      readonly name: string;
      readonly cat: string;
      readonly ts: number;
      readonly dur: number;
      readonly pid: number;
      readonly tid: number;
      readonly args: Readonly<Record<string, unknown>>;
    };

interface Lane {
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  /** Ends of the spans that contain each other, the outermost first. */
  readonly open: number[];
}

/**
 * For chrome://tracing and https://ui.perfetto.dev: nodes are processes; the request, each stage's computing and each hop
 * are threads. Spans of one thread must contain each other or lie apart, so what overlaps gets a further thread.
 */
export function toChromeTrace(document: TraceDocument): ChromeTrace {
  const lanes: Lane[] = [];
  const pids = new Map(document.nodes.map(({ id }, index) => [id, index + 1]));
  const spans = document.spans.map((span) => {
    const begin = microseconds(span.begin - document.begin);
    const end = Math.max(begin, microseconds(span.end - document.begin));
    const { pid, tid } = laneFor(lanes, pids.get(span.node_id) ?? 0, laneName(span), begin, end);
    const args = { ...(span.stage === null ? {} : { stage: span.stage }), ...span.attributes };
    return { ph: "X" as const, name: span.name, cat: "exo-native", ts: begin, dur: end - begin, pid, tid, args };
  });
  const processes = document.nodes.map(({ id, name }) => named("process_name", pids.get(id) ?? 0, 0, name));
  const threads = lanes.map(({ pid, tid, name }) => named("thread_name", pid, tid, name));
  return {
    displayTimeUnit: "ms",
    otherData: { request_id: document.request_id, trace_id: document.trace_id },
    traceEvents: [...processes, ...threads, ...spans],
  };
}

function laneName({ name, stage, attributes }: TraceSpan): string {
  if (name === "hop") return `hop ${attributes.from_stage} → ${attributes.to_stage}`;
  return name === "compute" || name === "sample" ? `stage ${stage}` : "request";
}

/** Spans come in the order of their beginnings, the longest first. */
function laneFor(lanes: Lane[], pid: number, name: string, begin: number, end: number): Lane {
  for (const lane of lanes) {
    if (lane.pid !== pid || lane.name !== name) continue;
    while ((lane.open.at(-1) ?? Number.POSITIVE_INFINITY) <= begin) lane.open.pop();
    if ((lane.open.at(-1) ?? Number.POSITIVE_INFINITY) < end) continue;
    lane.open.push(end);
    return lane;
  }
  const made = { pid, tid: lanes.length + 1, name, open: [end] };
  lanes.push(made);
  return made;
}

function named(name: "process_name" | "thread_name", pid: number, tid: number, text: string): ChromeEvent {
  return { ph: "M", name, pid, tid, args: { name: text } };
}

/** Whole nanoseconds, so that what follows each other exactly does not overlap by an error of rounding. */
function microseconds(seconds: number): number {
  return Math.round(seconds * 1e9) / 1e3;
}
