import type { ModelCost } from "./cost.js";
import { rate } from "./explain.js";

/** A range that a node would hold. */
export interface WantedRange {
  readonly nodeId: string;
  readonly layerBegin: number;
  readonly layerEnd: number;
}

/** How quickly a node gets weights, and which it need not fetch. */
export interface SupplySpeed {
  /** From hub or peers, and from its disk into memory. Bytes per second. */
  readonly fetchBytesPerSecond: number;
  readonly loadBytesPerSecond: number;
  /** Layers whose weights are on its disk. */
  readonly onDisk: (layer: number) => boolean;
}

export interface ReloadRequest {
  readonly cost: ModelCost;
  /** In ring order: the first is the head, which holds both ends too. */
  readonly wanted: readonly WantedRange[];
  /** By node id; a node that is missing is taken for slow: it fetches everything at 10 MB/s. */
  readonly supply: ReadonlyMap<string, SupplySpeed>;
  /** What is loaded there already and stays so; default: nothing is. */
  readonly isKept?: (range: WantedRange) => boolean;
  /** Tokens of the conversations under way, which are computed again, and how quickly that goes. */
  readonly liveTokens: number;
  readonly prefillTokensPerSecond: number;
}

const SLOW: SupplySpeed = { fetchBytesPerSecond: 10e6, loadBytesPerSecond: 200e6, onDisk: () => false };

/** Seconds until the new ring answers: nodes load at the same time, then what was said so far is computed again. */
export function reloadSeconds(request: ReloadRequest): number {
  const { isKept = () => false } = request;
  const loading = request.wanted.map((range, index) => (isKept(range) ? 0 : loadSeconds(request, range, index === 0)));
  return Math.max(0, ...loading) + request.liveTokens / Math.max(1e-9, request.prefillTokensPerSecond);
}

function loadSeconds({ cost, supply }: ReloadRequest, wanted: WantedRange, isHead: boolean): number {
  const { nodeId, layerBegin, layerEnd } = wanted;
  const { fetchBytesPerSecond, loadBytesPerSecond, onDisk } = supply.get(nodeId) ?? SLOW;
  const ends = isHead ? cost.memory(0, 1, true).weights - cost.memory(0, 1, false).weights : 0;
  let fetched = onDisk(layerBegin) ? 0 : ends;
  for (let layer = layerBegin; layer < layerEnd; layer++) {
    if (!onDisk(layer)) fetched += cost.memory(layer, layer + 1, false).weights;
  }
  const loaded = cost.memory(layerBegin, layerEnd, isHead).weights;
  return fetched / fetchBytesPerSecond + loaded / loadBytesPerSecond;
}

export interface RePlanRequest {
  /** Tokens per second of what the strategy is about, now and with the other plan. */
  readonly now: number;
  readonly next: number;
  readonly reloadSeconds: number;
  /** Part of the speed that is to be gained at least. Default `LEAST_GAIN`. */
  readonly leastGain?: number;
  /** Over which the change must pay. Seconds. */
  readonly horizonSeconds: number;
}

export interface RePlanDecision {
  readonly worthIt: boolean;
  /** A sentence. */
  readonly reason: string;
}

/** Predictions are no better than this part, so a gain must be larger. */
export const LEAST_GAIN = 0.1;
/** Without a new node, by other measurements alone: nodes that compute are corrected by it, and those that do not are not. */
export const LEAST_GAIN_BY_MEASURES = 0.2;
/** A ring that broke is judged by what it gives within so long: who waits for it now counts most. Seconds. */
export const HEAL_HORIZON = 60;
/** A ring is expected to stay as it is for about so long. Seconds. */
export const RE_PLAN_HORIZON = 600;

/** Whether a better plan gives more tokens over the horizon than it costs while nothing is answered. */
export function worthRePlanning(request: RePlanRequest): RePlanDecision {
  const { now, next, reloadSeconds, horizonSeconds, leastGain = LEAST_GAIN } = request;
  const gain = next / Math.max(1e-9, now) - 1;
  const speeds = `${rate(next)} instead of ${rate(now)}`;
  if (gain < leastGain) {
    return { worthIt: false, reason: `The ring stays: another would give ${speeds}, too little to tell from chance.` };
  }
  const tokens = next * Math.max(0, horizonSeconds - reloadSeconds);
  const cost = `loading it takes ${reloadSeconds.toFixed(reloadSeconds < 10 ? 1 : 0)} s`;
  return tokens > now * horizonSeconds
    ? { worthIt: true, reason: `The ring changes: it gives ${speeds}, and ${cost}.` }
    : {
        worthIt: false,
        reason: `The ring stays: another would give ${speeds}, but ${cost}, which does not pay within ${horizonSeconds} s.`,
      };
}
