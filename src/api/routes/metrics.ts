import type { FastifyInstance } from "fastify";

/** Metrics as Prometheus reads them. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

export function metricsRoute(app: FastifyInstance, metrics: MetricsText): void {
  app.get("/metrics", async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.text();
  });
}
