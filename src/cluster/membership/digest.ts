import { outweighs, type Stamp, type Standing } from "./claim.js";

/** A claim without its record: what two nodes compare before they send each other records. */
export interface Digest extends Stamp {
  readonly standing: Standing;
  /** Milliseconds since it went; 0 unless gone. */
  readonly goneMs: number;
  /** The sender hears the node itself, so that newer revisions of its record come to it without our help. */
  readonly heard: boolean;
}

/** What somebody who knows `theirs` (`undefined`: nothing) still has to be told by somebody who knows `mine`. */
export function lacking(mine: Digest, theirs: Digest | undefined): "record" | "standing" | null {
  if (theirs === undefined || mine.incarnation > theirs.incarnation) return "record";
  if (mine.incarnation < theirs.incarnation) return null;
  if (isNewer(mine, theirs) && !theirs.heard) return "record";
  return outweighs(mine.standing, theirs.standing) ? "standing" : null;
}

function isNewer(a: Stamp, b: Stamp): boolean {
  return a.revision > b.revision || (a.revision === b.revision && a.instance > b.instance);
}

export function digestOf(
  { id, instance, incarnation, revision }: Stamp,
  standing: Standing,
  goneMs: number,
  heard: boolean,
): Digest {
  return { id, instance, incarnation, revision, standing, goneMs, heard };
}
