import type { FastifyInstance } from "fastify";
import { ExoError } from "../../core/errors.js";
import type { ClusterFeed } from "../events/cluster-feed.js";
import type { LiveRequests } from "../live-requests.js";
import { logFailure } from "../log-failure.js";
import { type SseOptions, SseStream } from "../sse.js";
import { takeOver } from "../stream-answer.js";

/** The cluster as server-sent events, for as long as the client reads. */
export function eventRoutes(app: FastifyInstance, feed: ClusterFeed, live: LiveRequests, sse: SseOptions): void {
  app.get("/cluster/events", async (_request, reply) => {
    feed.checkRoom();
    const signal = live.open(reply.raw);
    takeOver(reply);
    const stream = new SseStream(reply.raw, sse);
    try {
      await feed.serve(stream, signal);
    } catch (thrown) {
      // A reader that goes away is how these streams end.
      if (ExoError.from(thrown).code !== "cancelled") logFailure(reply.log, thrown);
    }
    stream.end();
    return reply;
  });
}
