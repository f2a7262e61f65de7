import { type StageTimes, wrappedMicroseconds } from "../transport/frame.js";
import { type HopDelays, since } from "./hop-delays.js";

/** What one stage did with a micro-batch. Seconds. */
export interface Leg {
  /** From its arrival to its result; the rest is reading, writing, and waking a thread up. */
  readonly seconds: number;
  readonly compute: number;
  /** Behind other micro-batches. */
  readonly queue: number;
  /** Part of `compute`: choosing tokens, at the stage with the output head. */
  readonly sampling: number;
}

/** The parts of a micro-batch's way, in their order: stage, hop, stage, … The head of a ring comes first and last. */
export interface WayRound {
  /** One more than hops. In a ring of n nodes n + 1: the last is the output head. */
  readonly legs: readonly Leg[];
  /** Seconds. */
  readonly hops: readonly number[];
}

/** What the head knows of one micro-batch when it has its samples. Milliseconds of its clock. */
export interface SeenByHead {
  /** As they came back, the head's own first. */
  readonly stages: readonly StageTimes[];
  readonly back: number;
  readonly ended: number;
  readonly output: Omit<Leg, "seconds">;
}

/** @returns `null` when the frame does not tell of every stage */
export function wayRound(
  { stages, back, ended, output }: SeenByHead,
  stageCount: number,
  delays: HopDelays,
): WayRound | null {
  if (stages.length !== stageCount) return null;
  const hops = delays.record(stages, wrappedMicroseconds(back));
  const last = { ...output, seconds: (ended - back) / 1000 };
  return { legs: [...stages.map(legOf), last], hops };
}

function legOf(times: StageTimes): Leg {
  const seconds = since(times.arrivedMicroseconds, times.leftMicroseconds) / 1e6;
  return {
    seconds,
    // The thread's clock and the event loop's are not one: a part is never more than the whole.
    compute: Math.min(times.computeMicroseconds / 1e6, seconds),
    queue: Math.min(times.queueMicroseconds / 1e6, seconds),
    sampling: 0,
  };
}
