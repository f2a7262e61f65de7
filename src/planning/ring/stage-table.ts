import { hopSeconds, linkBusy } from "./ring-costs.js";
import type { RingCosts, RingStage } from "./ring-problem.js";

/** No stage and no link may be busy for longer with one round. Seconds. */
export interface Limits {
  readonly busiest: number;
}

export const NO_LIMITS: Limits = { busiest: Number.POSITIVE_INFINITY };

const NEVER = Number.POSITIVE_INFINITY;

/**
 * The step that both searches are made of. A column holds, for each number of layers done, the least seconds until then:
 * from the head's first layer to the end of some stage. A further stage makes a column of another.
 */
export class StageTable {
  readonly costs: RingCosts;
  readonly #limits: Limits;
  readonly #layers: number;
  /** Earliest begin for each end, by node, in memory and time. */
  readonly #earliest: (Int32Array | undefined)[] = [];
  readonly #keys: Float64Array;
  readonly #window: Int32Array;

  constructor(costs: RingCosts, limits: Limits) {
    this.costs = costs;
    this.#limits = limits;
    this.#layers = costs.problem.layerCount;
    this.#keys = new Float64Array(this.#layers + 1);
    this.#window = new Int32Array(this.#layers + 1);
  }

  /** Entries of a column. */
  get size(): number {
    return this.#layers + 1;
  }

  /** Writes the column of a head: the first stage, with the output head. */
  begin(node: number, column: Float64Array): void {
    const { passes, problem } = this.costs;
    const pass = passes[node];
    const canHead = problem.nodes[node]?.canHead;
    column.fill(NEVER);
    if (pass === undefined) return;
    for (let end = 1; end <= this.#layers; end++) {
      const seconds = pass.fixed + (pass.upTo[end] ?? NEVER) + pass.output;
      const mayEnd = end === this.#layers || problem.mayBegin[end] === true;
      if (mayEnd && canHead?.[end] === true && seconds <= this.#limits.busiest) column[end] = seconds;
    }
  }

  /** Lowers `entry`, the least seconds until each layer's hidden states are at `to`, by what comes from `from`. */
  cross(from: number, to: number, columns: Float64Array, offset: number, entry: Float64Array): void {
    const { problem } = this.costs;
    for (let layer = 1; layer < this.#layers; layer++) {
      const before = columns[offset + layer] ?? NEVER;
      if (before === NEVER || problem.mayBegin[layer] !== true) continue;
      if (linkBusy(this.costs, from, to, layer) > this.#limits.busiest) continue;
      const here = before + hopSeconds(this.costs, from, to, layer);
      if (here < (entry[layer] ?? NEVER)) entry[layer] = here;
    }
  }

  /**
   * Writes the column after a stage on this node: for each end the best begin, in a sliding window because what fits
   * never begins earlier for a later end. Whether anything is reached.
   */
  add(node: number, entry: Float64Array, columns: Float64Array, offset: number): boolean {
    const pass = this.costs.passes[node];
    if (pass === undefined) return false;
    const earliest = this.#earliestBegins(node);
    const [keys, window] = [this.#keys, this.#window];
    let [first, last, reached] = [0, 0, false];
    columns[offset] = NEVER;
    for (let end = 1; end <= this.#layers; end++) {
      const begin = end - 1;
      const key = (entry[begin] ?? NEVER) - (pass.upTo[begin] ?? 0);
      keys[begin] = key;
      if (key !== NEVER) {
        while (last > first && (keys[window[last - 1] ?? 0] ?? 0) > key) last--;
        window[last++] = begin;
      }
      while (first < last && (window[first] ?? 0) < (earliest[end] ?? 0)) first++;
      const value = first < last ? (keys[window[first] ?? 0] ?? NEVER) + (pass.upTo[end] ?? 0) + pass.fixed : NEVER;
      columns[offset + end] = value;
      if (value !== NEVER) reached = true;
    }
    return reached;
  }

  /** Seconds of the whole lap, for a column whose last stage is on `node`; infinite where it does not close. */
  close(node: number, head: number, columns: Float64Array, offset: number): number {
    const before = columns[offset + this.#layers] ?? NEVER;
    if (before === NEVER || node === head) return before;
    if (linkBusy(this.costs, node, head, this.#layers) > this.#limits.busiest) return NEVER;
    return before + hopSeconds(this.costs, node, head, this.#layers);
  }

  /** Where the best stage on `node` that ends at `end` begins, given the entry that its column was made of. */
  beginOf(node: number, entry: Float64Array, end: number): number {
    const pass = this.costs.passes[node];
    const earliest = this.#earliestBegins(node)[end] ?? end;
    let [best, least] = [-1, NEVER];
    for (let begin = earliest; begin < end; begin++) {
      const seconds = (entry[begin] ?? NEVER) - (pass?.upTo[begin] ?? 0);
      if (seconds < least) [best, least] = [begin, seconds];
    }
    return best;
  }

  #earliestBegins(node: number): Int32Array {
    const known = this.#earliest[node];
    if (known !== undefined) return known;
    const pass = this.costs.passes[node];
    const inMemory = this.costs.problem.nodes[node]?.earliest;
    const earliest = new Int32Array(this.#layers + 1);
    let begin = 1;
    for (let end = 1; end <= this.#layers; end++) {
      begin = Math.max(begin, inMemory?.[end] ?? end);
      const until = (pass?.upTo[end] ?? NEVER) + (pass?.fixed ?? 0);
      while (begin < end && until - (pass?.upTo[begin] ?? 0) > this.#limits.busiest) begin++;
      earliest[end] = begin;
    }
    this.#earliest[node] = earliest;
    return earliest;
  }
}

/** A ring and the seconds of its lap. */
export interface Found {
  readonly ring: readonly RingStage[];
  readonly seconds: number;
}
