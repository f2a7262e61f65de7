import type { RingCosts, RingStage } from "./ring-problem.js";
import { type Found, type Limits, StageTable } from "./stage-table.js";

const NEVER = Number.POSITIVE_INFINITY;

/** The best cuts for nodes in this very order, the head first; `null` where they cannot hold the model within the limits. */
export function orderSearch(costs: RingCosts, limits: Limits, order: readonly number[]): Found | null {
  const [head] = order;
  if (head === undefined) return null;
  const table = new StageTable(costs, limits);
  const columns = order.map(() => new Float64Array(table.size));
  const entries = order.map(() => new Float64Array(table.size).fill(NEVER));
  for (const [index, node] of order.entries()) {
    const [column, entry, before] = [columns[index], entries[index], columns[index - 1]];
    if (column === undefined || entry === undefined) return null;
    if (before === undefined) table.begin(node, column);
    else {
      table.cross(order[index - 1] ?? head, node, before, 0, entry);
      if (!table.add(node, entry, column, 0)) return null;
    }
  }
  const seconds = table.close(order.at(-1) ?? head, head, columns.at(-1) ?? new Float64Array(), 0);
  return seconds === NEVER ? null : { seconds, ring: cutsOf(table, order, entries) };
}

function cutsOf(table: StageTable, order: readonly number[], entries: readonly Float64Array[]): readonly RingStage[] {
  const ring: RingStage[] = [];
  let end = table.costs.problem.layerCount;
  for (let index = order.length - 1; index >= 0; index--) {
    const [node, entry] = [order[index] ?? 0, entries[index]];
    const begin = index === 0 || entry === undefined ? 0 : table.beginOf(node, entry, end);
    ring.unshift({ node, begin, end });
    end = begin;
  }
  return ring;
}
