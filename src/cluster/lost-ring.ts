import type { Member } from "./membership.js";
import { type ModelRequest, modelRequest, parseModelRequest, type RequestSettings } from "./model-request.js";
import type { RingRecord } from "./node-record.js";
import { answersTo } from "./ring-record.js";

/**
 * The ring of a head that is gone, as that told of it last; `null` where there was none by this name, or several of
 * different models.
 */
export function lostRing(members: readonly Pick<Member, "state" | "record">[], name: string): RingRecord | null {
  const lost = members
    .filter(({ state }) => state === "gone")
    .flatMap(({ record }) => record.rings)
    .filter((ring) => answersTo(ring, name) && ring.epoch > 0 && !ring.draining && !ring.gaveUp);
  const meant = lost.filter(({ spec, askedAs }) => spec === name || askedAs === name);
  const rings = meant.length > 0 ? meant : lost;
  return new Set(rings.map(({ spec }) => spec)).size === 1 ? (rings[0] ?? null) : null;
}

/** What to ask for to have such a ring again, whichever node is its head: answers that it began go on alike there. */
export function requestLike(ring: RingRecord, settings: RequestSettings): ModelRequest {
  const { spec, contextSize, slots, pinned, computing } = ring;
  const request = modelRequest(spec, settings, { contextSize: contextSize || null, slots: slots || null, pinned });
  if (computing === null) return request;
  const { ubatch, ...types } = computing;
  const like = { ...request.ring, ...types, batchSize: ubatch, microBatchSize: ubatch };
  try {
    return parseModelRequest({ ...request, ring: like });
  } catch {
    // Its record was well formed, but said what no ring can be.
    return request;
  }
}
