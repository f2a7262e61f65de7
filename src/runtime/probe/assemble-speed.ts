import type { LayerSpeed, ModelSpeed, PassTime } from "../../planning/speeds.js";
import type { LayerKinds } from "./layer-kinds.js";
import type { LayerRange, ProbePlan } from "./probe-plan.js";

/** What was timed; seconds include what every pass costs. */
export interface ProbeTimes {
  readonly kinds: LayerKinds;
  readonly plan: ProbePlan;
  /** By kind, one layer alone; `null` for kinds that were not timed. */
  readonly alone: readonly (LayerSpeed | null)[];
  /** Several layers in one pass. */
  readonly window: { readonly range: LayerRange; readonly passes: readonly PassTime[] } | null;
  /** The output head alone, by rows; `null` where it was not timed. */
  readonly output: readonly PassTime[] | null;
}

/** Bytes of the output head's weights, and of all layers: for a head that could not be timed. */
export interface OutputShare {
  readonly outputBytes: number;
}

/** Shorter than anything that can be timed. */
const LEAST_SECONDS = 1e-9;
/** No pass costs more of itself than of its layer, nor more than this on any machine; what says otherwise is noise. */
const MOST_PER_PASS = 0.5;
const MOST_PER_PASS_SECONDS = 0.0005;

/**
 * From the times of whole passes to those of their parts. A pass of one layer and a pass of several tell what every pass
 * costs. Where weights of one layer stay in the processors' caches from one repetition to the next, several layers take
 * longer than as many times one: then every layer's times are raised so that several add up to what they took together.
 */
export function assembleSpeed(times: ProbeTimes, { outputBytes }: OutputShare): ModelSpeed {
  const perPass = passCost(times);
  const measured = withAllRows(times.alone.map((speed) => speed && withoutPassCost(speed, perPass, times)));
  const kinds = times.plan.kinds.map((_, kind) => kindSpeed(times, measured, kind));
  const [first] = kinds;
  const output =
    times.output?.map(({ rows, seconds }) => ({ rows, seconds: seconds - perPass })) ??
    first?.passes.map((pass) => scaled(pass, outputBytes / (times.kinds.bytes[0] ?? outputBytes))) ??
    [];
  return { kinds, kindOfLayer: times.kinds.kindOfLayer, output: rising(output), perPass };
}

/** Seconds of each kind's pass of so many rows, summed over the window's layers; `null` where one was not timed. */
function windowSum({ kinds, plan, alone, window }: ProbeTimes, rows: number, less: number): number | null {
  if (window === null) return null;
  const layers = kinds.kindOfLayer.slice(window.range.begin, window.range.end);
  let sum = 0;
  for (const kind of layers) {
    const source = measuredKind(plan, kind);
    const pass = alone[source]?.passes.find((one) => one.rows === rows);
    if (pass === undefined) return null;
    sum += ((pass.seconds - less) * (kinds.bytes[kind] ?? 0)) / (kinds.bytes[source] || 1);
  }
  return sum;
}

function passCost(times: ProbeTimes): number {
  const { window } = times;
  const single = windowSum(times, 1, 0);
  const together = window?.passes.find(({ rows }) => rows === 1);
  if (window === null || single === null || together === undefined) return 0;
  const layers = window.range.end - window.range.begin;
  const perPass = (single - together.seconds) / (layers - 1);
  const least = Math.min(...times.alone.flatMap((speed) => speed?.passes[0]?.seconds ?? []));
  return Math.max(0, Math.min(perPass, least * MOST_PER_PASS, MOST_PER_PASS_SECONDS));
}

/** How much longer a pass of several layers takes than the sum of them, each alone. */
function coldFactor(times: ProbeTimes, rows: number, perPass: number): number {
  const single = windowSum(times, rows, perPass);
  const together = times.window?.passes.find((pass) => pass.rows === rows);
  if (single === null || together === undefined || single <= 0) return 1;
  return (together.seconds - perPass) / single;
}

function withoutPassCost(speed: LayerSpeed, perPass: number, times: ProbeTimes): LayerSpeed {
  const passes = speed.passes.map(({ rows, seconds }) => ({
    rows,
    seconds: (seconds - perPass) * coldFactor(times, rows, perPass),
  }));
  return { ...speed, passes: rising(passes) };
}

/**
 * A probe that is late times some kinds with few rows only. What many rows cost differs from few by far less than their
 * number, so it is not guessed from that but from how the kind that was timed with most rows does.
 */
function withAllRows(measured: readonly (LayerSpeed | null)[]): readonly (LayerSpeed | null)[] {
  const model = measured.flatMap((speed) => (speed === null ? [] : [speed.passes])).reduce(longer, []);
  return measured.map((speed) => speed && { ...speed, passes: [...speed.passes, ...missing(speed.passes, model)] });
}

function longer(a: readonly PassTime[], b: readonly PassTime[]): readonly PassTime[] {
  return b.length > a.length ? b : a;
}

function missing(passes: readonly PassTime[], model: readonly PassTime[]): readonly PassTime[] {
  const last = passes.at(-1);
  const same = model.find(({ rows }) => rows === last?.rows);
  if (last === undefined || same === undefined) return [];
  return model.filter(({ rows }) => rows > last.rows).map((pass) => scaled(pass, last.seconds / same.seconds));
}

function kindSpeed({ kinds, plan }: ProbeTimes, measured: readonly (LayerSpeed | null)[], kind: number): LayerSpeed {
  const source = measuredKind(plan, kind);
  const speed = measured[source] ?? { passes: [], perCachedToken: 0, perCachedTokenOfMany: 0 };
  if (source === kind) return speed;
  const factor = (kinds.bytes[kind] ?? 0) / (kinds.bytes[source] || 1);
  return { ...speed, passes: speed.passes.map((pass) => scaled(pass, factor)) };
}

function measuredKind(plan: ProbePlan, kind: number): number {
  const entry = plan.kinds[kind];
  return entry !== undefined && "like" in entry ? entry.like : kind;
}

function scaled({ rows, seconds }: PassTime, factor: number): PassTime {
  return { rows, seconds: seconds * factor };
}

/** More rows never take less time; where they seem to, fewer were disturbed: noise only adds time. */
export function rising(passes: readonly PassTime[]): readonly PassTime[] {
  let least = Number.POSITIVE_INFINITY;
  return passes
    .toReversed()
    .map(({ rows, seconds }) => {
      least = Math.max(LEAST_SECONDS, Math.min(least, seconds));
      return { rows, seconds: least };
    })
    .reverse();
}
