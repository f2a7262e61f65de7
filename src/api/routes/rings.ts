import type { FastifyInstance } from "fastify";
import type { LiveRequests } from "../live-requests.js";
import type { RingControl } from "../ports.js";
import { parseLoad } from "../schema/ring.js";

/** Loading and unloading by request; the same from every node of the cluster. */
export function ringRoutes(app: FastifyInstance, rings: RingControl, live: LiveRequests): void {
  app.post("/cluster/rings", async (request, reply) => {
    const { model, wait, options } = parseLoad(request.body);
    const signal = live.open(reply.raw);
    const ring = await rings.load(model, options);
    if (ring.state === "ready") return ring;
    if (wait) return rings.whenReady(model, signal);
    reply.code(202);
    return ring;
  });

  app.delete<{ Params: { id: string } }>("/cluster/rings/:id", ({ params }) => rings.unload(params.id));
}
