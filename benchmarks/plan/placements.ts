/**
 * Placements of a model by hand, as `--layers` has them, on all of these nodes: every order of nodes (of those with as many
 * threads, which are alike, only one), each cut after every `step`-th layer.
 */
export function placements(nodes: readonly PlacedNode[], layers: number, step: number): readonly string[] {
  const cuts = Array.from({ length: Math.ceil(layers / step) - 1 }, (_, index) => (index + 1) * step);
  return distinctOrders(nodes).flatMap((order) =>
    choices(cuts, nodes.length - 1).map((chosen) => {
      const ends = [...chosen, layers];
      return order.map(({ name }, index) => `${ends[index - 1] ?? 0}-${ends[index] ?? layers}@${name}`).join(",");
    }),
  );
}

export interface PlacedNode {
  readonly name: string;
  readonly threads: number;
}

function distinctOrders(nodes: readonly PlacedNode[]): readonly (readonly PlacedNode[])[] {
  const bySpeeds = new Map<string, readonly PlacedNode[]>();
  for (const order of orders(nodes)) {
    const speeds = order.map(({ threads }) => threads).join(" ");
    if (!bySpeeds.has(speeds)) bySpeeds.set(speeds, order);
  }
  return [...bySpeeds.values()];
}

function orders<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, at) => orders(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

/** So many of an ascending list, in its order. */
function choices(items: readonly number[], count: number): readonly (readonly number[])[] {
  if (count === 0) return [[]];
  return items.flatMap((item, at) => choices(items.slice(at + 1), count - 1).map((rest) => [item, ...rest]));
}
