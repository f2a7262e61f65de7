/** The same fields without those that are `undefined` or `null`: an absent option takes the server's default. */
export type Present<Fields> = { [Key in keyof Fields]?: NonNullable<Fields[Key]> };

export function present<Fields extends object>(fields: Fields): Present<Fields> {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(kept) as Present<Fields>;
}
