/** One stage of a placement made by hand: half-open layer range `[begin, end)` on the node of that name. */
export interface LayerAssignment {
  readonly node: string;
  readonly begin: number;
  readonly end: number;
}

/**
 * `0-11@node-a,11-22@node-b`, ranges half-open and in ring order, the head first. `null` when it is not of that form;
 * whether the ranges cover the model is for `planning/` to say, which knows the model.
 */
export function parseLayerAssignments(text: string): readonly LayerAssignment[] | null {
  const assignments: LayerAssignment[] = [];
  for (const part of text.split(",")) {
    const match = /^(\d{1,5})-(\d{1,5})@(\S+)$/.exec(part.trim());
    if (match === null) return null;
    const [, begin, end, node] = match;
    if (begin === undefined || end === undefined || node === undefined || Number(begin) >= Number(end)) return null;
    assignments.push({ node, begin: Number(begin), end: Number(end) });
  }
  return assignments;
}

export function formatLayerAssignments(assignments: readonly LayerAssignment[]): string {
  return assignments.map(({ node, begin, end }) => `${begin}-${end}@${node}`).join(",");
}
