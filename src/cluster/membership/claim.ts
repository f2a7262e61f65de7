/** What a record tells of itself, so that of two the newer is known. */
export interface Stamp {
  readonly id: string;
  /** Random, new at each start of the node. */
  readonly instance: string;
  /** Raised only by the node itself; the higher one wins over everything said of a lower one. */
  readonly incarnation: number;
  /** Counts the different records of one instance. */
  readonly revision: number;
}

/** `gone` outweighs `suspect`, and that `alive`, within one incarnation. */
export type Standing = "alive" | "suspect" | "gone";

/** What is said of a node: its record, and how it stands in the record's incarnation. */
export interface Claim<R extends Stamp> {
  readonly record: R;
  readonly standing: Standing;
  /** Milliseconds since it went; 0 unless gone. Lengths of time, so that nobody's clock matters. */
  readonly goneMs: number;
}

const WEIGHT: Readonly<Record<Standing, number>> = { alive: 0, suspect: 1, gone: 2 };

export function outweighs(a: Standing, b: Standing): boolean {
  return WEIGHT[a] > WEIGHT[b];
}

/**
 * Two claims about one node as one: the least claim that holds what both do. Commutative, associative and idempotent, so
 * it does not matter in which order, how often and over whom claims arrive.
 */
export function mergeClaims<R extends Stamp>(a: Claim<R>, b: Claim<R>): Claim<R> {
  if (a.record.incarnation !== b.record.incarnation) return a.record.incarnation > b.record.incarnation ? a : b;
  const standing = outweighs(b.standing, a.standing) ? b.standing : a.standing;
  return {
    record: isNewer(b.record, a.record) ? b.record : a.record,
    standing,
    goneMs: standing === "gone" ? Math.max(goneMsOf(a), goneMsOf(b)) : 0,
  };
}

function goneMsOf({ standing, goneMs }: Claim<Stamp>): number {
  return standing === "gone" ? goneMs : 0;
}

/** Of one incarnation. An honest node makes no two records of one stamp; of those that differ all the same, all keep one. */
function isNewer(a: Stamp, b: Stamp): boolean {
  if (a.revision !== b.revision) return a.revision > b.revision;
  if (a.instance !== b.instance) return a.instance > b.instance;
  return a !== b && JSON.stringify(a) > JSON.stringify(b);
}
