/** Letters of an id that tell it from others. */
const SHORT = 8;

/** What to call each of these: its name, with the begin of its id behind it where another has the same name. */
export function distinctNames(
  all: readonly { readonly id: string; readonly name: string }[],
): ReadonlyMap<string, string> {
  const owners = new Map<string, Set<string>>();
  for (const { id, name } of all) owners.set(name, (owners.get(name) ?? new Set()).add(id));
  return new Map(
    all.map(({ id, name }) => [id, (owners.get(name)?.size ?? 0) > 1 ? `${name} (${id.slice(0, SHORT)})` : name]),
  );
}
