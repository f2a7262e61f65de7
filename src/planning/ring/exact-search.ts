import type { RingCosts, RingStage } from "./ring-problem.js";
import { type Found, type Limits, StageTable } from "./stage-table.js";

const NEVER = Number.POSITIVE_INFINITY;

/**
 * The ring with the quickest lap over all heads, orders of nodes, numbers of nodes and cuts, within the limits; `null`
 * where no ring is. Dynamic programme over the set of nodes used, the last of them and the layers done, for each head:
 * O(2ⁿ · n³ · layers).
 */
export function exactSearch(costs: RingCosts, limits: Limits): Found | null {
  const table = new StageTable(costs, limits);
  const count = costs.problem.nodes.length;
  const memory = new Float64Array(count < 2 ? 0 : 2 ** (count - 1) * (count - 1) * table.size);
  let best: Candidate | null = null;
  for (let head = 0; head < count; head++) {
    const found = new HeadSearch(table, head, memory).best();
    if (found !== null && (best === null || isBetter(found, best))) best = found;
  }
  return best === null ? null : { ring: best.trace(), seconds: best.seconds };
}

/** Steps of arithmetic that a search takes, about. */
export function exactWork(nodes: number, layers: number): number {
  return nodes * 2 ** (nodes - 2) * (nodes - 1) * nodes * layers;
}

interface Candidate {
  readonly seconds: number;
  readonly stages: number;
  readonly trace: () => readonly RingStage[];
}

/** Of equally quick rings the one with fewer nodes: it has fewer that can be lost. */
function isBetter(a: Candidate, b: Candidate): boolean {
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.stages < b.stages);
}

/** All rings with one head. Sets are bits over the other nodes. */
class HeadSearch {
  readonly #table: StageTable;
  readonly #head: number;
  readonly #others: readonly number[];
  /** `[set][last]` → a column. */
  readonly #columns: Float64Array;
  readonly #reached: Uint8Array;
  readonly #first: Float64Array;
  readonly #entry: Float64Array;

  constructor(table: StageTable, head: number, columns: Float64Array) {
    this.#table = table;
    this.#head = head;
    this.#others = table.costs.problem.nodes.map((_, node) => node).filter((node) => node !== head);
    this.#columns = columns;
    this.#reached = new Uint8Array(2 ** this.#others.length * Math.max(1, this.#others.length));
    this.#first = new Float64Array(table.size);
    this.#entry = new Float64Array(table.size);
  }

  best(): Candidate | null {
    const { minStages, layerCount } = this.#table.costs.problem;
    this.#table.begin(this.#head, this.#first);
    let best: Candidate | null = null;
    const alone = this.#table.close(this.#head, this.#head, this.#first, 0);
    if (alone !== NEVER && minStages <= 1) best = { seconds: alone, stages: 1, trace: () => [this.#wholeStage()] };
    for (let set = 1; set < 2 ** this.#others.length; set++) {
      const stages = bitsIn(set) + 1;
      if (stages > layerCount) continue;
      const found = this.#withSet(set, stages >= minStages);
      // The columns are overwritten by the next head, so a better ring is read off at once.
      if (found !== null && (best === null || isBetter({ ...found, stages, trace: never }, best))) {
        const ring = this.#trace(set, found.last);
        best = { seconds: found.seconds, stages, trace: () => ring };
      }
    }
    return best;
  }

  #wholeStage(): RingStage {
    return { node: this.#head, begin: 0, end: this.#table.costs.problem.layerCount };
  }

  /** Makes the columns of a set; the quickest lap with exactly this set, if laps are asked for. */
  #withSet(set: number, wanted: boolean): { readonly seconds: number; readonly last: number } | null {
    let [seconds, best] = [NEVER, -1];
    for (let last = 0; last < this.#others.length; last++) {
      const node = this.#others[last];
      if (node === undefined || (set & (1 << last)) === 0) continue;
      const slot = this.#slot(set, last);
      const column = slot * this.#table.size;
      this.#enter(set, last);
      if (!this.#table.add(node, this.#entry, this.#columns, column)) {
        this.#reached[slot] = 0;
        continue;
      }
      this.#reached[slot] = 1;
      const lap = wanted ? this.#table.close(node, this.#head, this.#columns, column) : NEVER;
      if (lap < seconds) [seconds, best] = [lap, last];
    }
    return best < 0 ? null : { seconds, last: best };
  }

  /** What comes to `last` from the head or from whichever node of the rest of the set is best at each layer. */
  #enter(set: number, last: number): void {
    const rest = set & ~(1 << last);
    this.#entry.fill(NEVER);
    for (const { node, columns, offset } of this.#before(rest)) {
      this.#table.cross(node, this.#others[last] ?? 0, columns, offset, this.#entry);
    }
  }

  *#before(rest: number): Generator<{ last: number; node: number; columns: Float64Array; offset: number }> {
    if (rest === 0) {
      yield { last: -1, node: this.#head, columns: this.#first, offset: 0 };
      return;
    }
    for (let last = 0; last < this.#others.length; last++) {
      const slot = this.#slot(rest, last);
      if ((rest & (1 << last)) === 0 || this.#reached[slot] === 0) continue;
      yield { last, node: this.#others[last] ?? 0, columns: this.#columns, offset: slot * this.#table.size };
    }
  }

  /** The ring of the best lap with this set that ends on `last`, found backwards by doing the same sums again. */
  #trace(whole: number, lastOfRing: number): readonly RingStage[] {
    const ring: RingStage[] = [];
    let [set, last, end] = [whole, lastOfRing, this.#table.costs.problem.layerCount];
    while (set !== 0) {
      const node = this.#others[last] ?? 0;
      this.#enter(set, last);
      const begin = this.#table.beginOf(node, this.#entry, end);
      ring.unshift({ node, begin, end });
      set &= ~(1 << last);
      last = this.#lastBefore(set, node, begin);
      end = begin;
    }
    return [{ node: this.#head, begin: 0, end }, ...ring];
  }

  #lastBefore(rest: number, to: number, layer: number): number {
    const entry = new Float64Array(this.#table.size);
    const wanted = this.#entry[layer];
    for (const { last, node, columns, offset } of this.#before(rest)) {
      entry.fill(NEVER);
      this.#table.cross(node, to, columns, offset, entry);
      if (entry[layer] === wanted) return last;
    }
    return -1;
  }

  #slot(set: number, last: number): number {
    return set * this.#others.length + last;
  }
}

function bitsIn(set: number): number {
  let [count, rest] = [0, set];
  for (; rest !== 0; rest &= rest - 1) count++;
  return count;
}

const never = (): readonly RingStage[] => [];
