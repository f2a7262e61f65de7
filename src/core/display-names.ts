/** Of an id, beside a name that several nodes have. */
const SUFFIX = 4;

/** What to call each node, by id: its name, and where several nodes have that name a beginning of the id beside it. */
export function displayNames(
  nodes: readonly { readonly id: string; readonly name: string }[],
): ReadonlyMap<string, string> {
  const ids = new Map<string, Set<string>>();
  for (const { id, name } of nodes) ids.set(name, (ids.get(name) ?? new Set()).add(id));
  return new Map(
    nodes.map(({ id, name }) => {
      const namesakes = [...(ids.get(name) ?? [])];
      return [id, namesakes.length < 2 ? name : `${name} (${id.slice(0, suffixLength(namesakes))})`];
    }),
  );
}

/** Long enough to tell them apart. */
function suffixLength(ids: readonly string[]): number {
  const longest = Math.max(...ids.map(({ length }) => length));
  for (let length = SUFFIX; length < longest; length += 1) {
    if (new Set(ids.map((id) => id.slice(0, length))).size === ids.length) return length;
  }
  return longest;
}
