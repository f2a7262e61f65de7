import type { Member } from "./membership.js";
import type { ModelRequest } from "./model-request.js";
import type { RingRecord } from "./node-record.js";
import { answersTo } from "./ring-record.js";

/** Most rings whose place one takes. */
const MOST_REPLACED = 64;

/** Rings of this name whose head does not answer, but may yet. */
export function hasSilentHead(members: readonly Member[], name: string): boolean {
  return members.some(({ state, record }) => state === "suspect" && lostRings(record.rings, name).length > 0);
}

/**
 * How to go on with a model whose head is gone: as it was asked for there, with what its ring left behind. `null`: no
 * ring of this name was lost.
 */
export function goOnWith(members: readonly Member[], name: string): ModelRequest | null {
  const gone = members.filter(({ state }) => state === "gone").flatMap(({ record }) => record.rings);
  const lost = lostRings(gone, name).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const [ring] = lost;
  if (ring?.request === undefined) return null;
  const ringIds = lost.filter(({ spec }) => spec === ring.spec).map(({ id }) => id);
  const replaces = { ringIds: ringIds.slice(0, MOST_REPLACED), contextSize: ring.contextSize };
  return { ...ring.request, spec: ring.spec, head: null, preferredHead: null, replaces };
}

/** A further ring of a model is bound to its node, and others of it serve; one that never worked left nothing. */
function lostRings(rings: readonly RingRecord[], name: string): readonly RingRecord[] {
  return rings.filter(
    (ring) => answersTo(ring, name) && ring.replica === 0 && !ring.draining && !ring.gaveUp && ring.contextSize > 0,
  );
}
