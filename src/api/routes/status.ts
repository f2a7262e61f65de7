import type { FastifyInstance } from "fastify";
import { ExoError } from "../../core/errors.js";
import type { ClusterView } from "../ports.js";

/** For supervisors and load balancers: the process lives; a chat request would be answered. No key asked for. */
export function healthRoutes(app: FastifyInstance, cluster: ClusterView): void {
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/readyz", () => {
    const { ready, reason } = cluster.readiness();
    if (ready) return { status: "ok" };
    throw new ExoError("not_ready", reason ?? "The node is not ready yet.");
  });
}

export function clusterRoute(app: FastifyInstance, cluster: ClusterView): void {
  app.get("/cluster", () => cluster.snapshot());
}
