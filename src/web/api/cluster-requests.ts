import { type ClusterRing, parseRing } from "./cluster-document.js";
import { type DoctorDocument, parseDoctor } from "./doctor-document.js";
import {
  type EstimateDocument,
  type PlacementWishes,
  type PlanDocument,
  parseEstimate,
  parsePlan,
  wishFields,
} from "./planning-documents.js";
import type { Server } from "./server.js";
import { hasStatus } from "./server-error.js";

/** Where the model would be placed; measuring it for the first time takes a while. */
export async function askPlan(
  server: Server,
  model: string,
  wishes: PlacementWishes,
  signal: AbortSignal,
): Promise<PlanDocument> {
  return parsePlan(await server.post("/cluster/plan", { model, ...wishFields(wishes) }, signal));
}

/** What the model takes; layers and strategy have no part in it. */
export async function askEstimate(
  server: Server,
  model: string,
  { contextSize, slots, kv }: PlacementWishes,
  signal: AbortSignal,
): Promise<EstimateDocument> {
  const fields = wishFields({ contextSize, slots, kv, strategy: null, layers: null });
  return parseEstimate(await server.post("/cluster/estimate", { model, ...fields }, signal));
}

/** Has the model loaded; answers at once with the ring that there will be. */
export async function loadModel(server: Server, model: string, wishes: PlacementWishes): Promise<ClusterRing> {
  return parseRing(await server.post("/cluster/rings", { model, ...wishFields(wishes) }));
}

/** Also when it is gone already, which is what was wanted. */
export async function unloadRing(server: Server, ringId: string): Promise<void> {
  try {
    await server.json(`/cluster/rings/${encodeURIComponent(ringId)}`, { method: "DELETE" });
  } catch (thrown) {
    if (!hasStatus(thrown, 404)) throw thrown;
  }
}

/** Has the node look at its machine, which takes some seconds. */
export async function askDoctor(server: Server, signal: AbortSignal): Promise<DoctorDocument> {
  return parseDoctor(await server.json("/cluster/doctor", { signal }));
}
