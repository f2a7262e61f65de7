/** One node's share of a split made by hand. */
export interface SplitPart {
  readonly nodeId: string;
  readonly nodeName: string;
  /** How many, at least one. */
  readonly layers: number;
}

/** The parts in ring order, the head's first. */
export type Split = readonly SplitPart[];

export interface PlacedLayers {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly layerBegin: number;
  readonly layerEnd: number;
}

export function splitOf(stages: readonly PlacedLayers[]): Split {
  return stages.map(({ nodeId, nodeName, layerBegin, layerEnd }) => ({
    nodeId,
    nodeName,
    layers: layerEnd - layerBegin,
  }));
}

/** Half-open ranges, one for each part. */
export function rangesOf(split: Split): readonly { readonly begin: number; readonly end: number }[] {
  let begin = 0;
  return split.map(({ layers }) => {
    const range = { begin, end: begin + layers };
    begin = range.end;
    return range;
  });
}

/** As `--layers` is written; nodes by id, because names may be shared. */
export function layersText(split: Split): string {
  const ranges = rangesOf(split);
  return split
    .map(({ nodeId }, index) => `${ranges[index]?.begin ?? 0}-${ranges[index]?.end ?? 0}@${nodeId}`)
    .join(",");
}

/** Between which layers the cut behind a part may lie, so that both sides keep one. */
export function cutBounds(split: Split, cut: number): { readonly least: number; readonly most: number } {
  const ranges = rangesOf(split);
  return { least: (ranges[cut]?.begin ?? 0) + 1, most: (ranges[cut + 1]?.end ?? 0) - 1 };
}

/** The cut behind the part `cut` put before the layer `to`, as near as both sides allow. */
export function moveCut(split: Split, cut: number, to: number): Split {
  const before = split[cut];
  const after = split[cut + 1];
  if (before === undefined || after === undefined) return split;
  const { least, most } = cutBounds(split, cut);
  const begin = least - 1;
  const layers = Math.min(most, Math.max(least, Math.round(to))) - begin;
  const both = before.layers + after.layers;
  return split.with(cut, { ...before, layers }).with(cut + 1, { ...after, layers: both - layers });
}

/** A part exchanged with its neighbour, `by` -1 or 1; each keeps its number of layers. */
export function movePart(split: Split, index: number, by: number): Split {
  const part = split[index];
  const other = split[index + by];
  return part === undefined || other === undefined ? split : split.with(index, other).with(index + by, part);
}

/** A part put first: the head is where the layers begin. */
export function makeHead(split: Split, index: number): Split {
  const part = split[index];
  return part === undefined ? split : [part, ...split.toSpliced(index, 1)];
}

/** Without a part, whose layers go to the one before it, or of the first to the next; the last one stays. */
export function dropPart(split: Split, index: number): Split {
  const part = split[index];
  const heirIndex = index === 0 ? 1 : index - 1;
  const heir = split[heirIndex];
  if (part === undefined || heir === undefined) return split;
  return split.with(heirIndex, { ...heir, layers: heir.layers + part.layers }).toSpliced(index, 1);
}

/** With one node more, which gets half of the largest part's layers and its place behind it. */
export function addPart(split: Split, node: Pick<SplitPart, "nodeId" | "nodeName">): Split {
  const most = Math.max(...split.map(({ layers }) => layers));
  const index = split.findIndex(({ layers }) => layers === most);
  const largest = split[index];
  if (largest === undefined || most < 2 || split.some(({ nodeId }) => nodeId === node.nodeId)) return split;
  const given = Math.floor(most / 2);
  return split
    .with(index, { ...largest, layers: most - given })
    .toSpliced(index + 1, 0, { nodeId: node.nodeId, nodeName: node.nodeName, layers: given });
}

export function sameSplit(a: Split, b: Split): boolean {
  return layersText(a) === layersText(b);
}
