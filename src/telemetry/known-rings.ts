import type { Member } from "../cluster/membership.js";
import type { NodeRecord, RingRecord } from "../cluster/node-record.js";

export interface KnownRings {
  readonly self: () => NodeRecord;
  readonly members: () => readonly Pick<Member, "state" | "record">[];
}

/** Every ring that this node knows of. */
export function knownRings({ self, members }: KnownRings): readonly RingRecord[] {
  const others = members().filter(({ state }) => state !== "gone");
  return [...self().rings, ...others.flatMap(({ record }) => record.rings)];
}

/** The API's name of a ring's model; a stage knows only what it was loaded by, which may be a path. "" of unknown rings. */
export function modelNames(sources: KnownRings): (ringId: string) => string {
  const names = new Map(knownRings(sources).map(({ id, model }) => [id, model]));
  return (ringId) => names.get(ringId) ?? "";
}
