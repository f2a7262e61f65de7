import type { FastifyInstance } from "fastify";
import type { LiveRequests } from "../live-requests.js";
import { estimateDocument } from "../planning/estimate-document.js";
import { planDocument } from "../planning/plan-document.js";
import type { PlanningService } from "../ports.js";
import { parseEstimateQuestion, parsePlanQuestion } from "../schema/planning.js";

/** What a placement would be, and what a model would take. Nothing is loaded. */
export function planningRoutes(app: FastifyInstance, planner: PlanningService, live: LiveRequests): void {
  app.post("/cluster/plan", async (request, reply) =>
    planDocument(await planner.plan(parsePlanQuestion(request.body), live.open(reply.raw))),
  );
  app.post("/cluster/estimate", async (request, reply) =>
    estimateDocument(await planner.estimate(parseEstimateQuestion(request.body), live.open(reply.raw))),
  );
}
