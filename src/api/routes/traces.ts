import type { FastifyInstance } from "fastify";
import { ExoError } from "../../core/errors.js";
import type { NodeTrace } from "../../core/trace.js";
import { HttpError } from "../http-error.js";
import type { ClusterView } from "../ports.js";
import { toChromeTrace } from "../traces/chrome-trace.js";
import { traceDocument, traceLines } from "../traces/trace-document.js";

/** What the nodes of the cluster recorded. */
export interface TraceSource {
  list(): Promise<readonly NodeTrace[]>;
  find(requestId: string): Promise<readonly NodeTrace[]>;
}

const FORMATS = ["json", "chrome"];

interface TraceRequest {
  Params: { id: string };
  Querystring: { format?: string };
}

/** Where the time of requests went; any node tells, whichever nodes worked on them. */
export function traceRoutes(app: FastifyInstance, traces: TraceSource, cluster: ClusterView): void {
  app.get("/cluster/traces", async () => ({ traces: traceLines(await traces.list()) }));

  app.get<TraceRequest>("/cluster/traces/:id", async ({ params, query }, reply) => {
    const format = query.format ?? "json";
    if (!FORMATS.includes(format)) {
      throw new ExoError(
        "invalid_argument",
        `Expected json or chrome for format, received ${JSON.stringify(format)}.`,
        {
          param: "format",
        },
      );
    }
    const { nodes } = cluster.snapshot();
    const document = traceDocument(
      await traces.find(params.id),
      (nodeId) => nodes.find(({ id }) => id === nodeId)?.name ?? nodeId,
    );
    if (document === null) throw unknownTrace(params.id);
    if (format === "json") return document;
    reply.header("content-disposition", 'attachment; filename="trace.json"');
    return toChromeTrace(document);
  });
}

function unknownTrace(requestId: string): HttpError {
  const id = JSON.stringify(requestId.slice(0, 128));
  const why = "it was not recorded, or has made room for newer ones; GET /cluster/traces lists those that are there";
  return new HttpError("trace_not_found", `No node has a trace of request ${id}: ${why}.`);
}
