import type { FastifyInstance } from "fastify";
import type { NodeControl } from "../ports.js";
import { parseDrain } from "../schema/drain.js";

/** Takes a node out of use, and back; the same from every node of the cluster. */
export function drainRoute(app: FastifyInstance, nodes: NodeControl): void {
  app.post("/cluster/drain", ({ body }) => {
    const { node, draining } = parseDrain(body);
    return nodes.drain(node, draining);
  });
}
