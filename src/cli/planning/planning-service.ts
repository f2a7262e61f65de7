import { estimateDocument } from "../../api/planning/estimate-document.js";
import { planDocument } from "../../api/planning/plan-document.js";
import { parseEstimateQuestion, parsePlanQuestion } from "../../api/schema/planning.js";
import { Planner } from "../../cluster/planner.js";
import { ringSettingsOf } from "../../cluster/ring-settings.js";
import type { Config } from "../../config/config.js";
import { listDevices } from "../../native/devices.js";
import { chooseDevices, usedDevices } from "../../runtime/compute-devices.js";
import { openModelStore } from "../model-store.js";
import { clientFor } from "../node-client/client-for.js";
import type { ReadEstimate, ReadPlan } from "../node-client/planning-documents.js";
import type { CliIo } from "../terminal/cli-io.js";

/** Who plans: a running node for its cluster, or this process for its machine. */
export interface PlanningAnswers {
  plan(question: object, signal: AbortSignal): Promise<ReadPlan>;
  estimate(question: object, signal: AbortSignal): Promise<ReadEstimate>;
}

/** The running node, with all the nodes that it knows; without one, and unless `--url` named one, this machine alone. */
export async function findPlanning(config: Config, url: unknown, io: CliIo): Promise<PlanningAnswers> {
  const client = clientFor(config, url);
  if (typeof url === "string" || (await client.isThere())) return client;
  io.stderr.write(`No node runs at ${client.url.origin}, so this is for this machine alone.\n`);
  return localPlanning(config, io);
}

function localPlanning(config: Config, io: CliIo): PlanningAnswers {
  const store = openModelStore(config, io);
  const found = listDevices();
  const devices = usedDevices(chooseDevices(config.device, found), found);
  const machine = { id: config.name, name: config.name, devices, memoryCap: config.memory, stages: [] };
  const planner = new Planner({
    header: (spec, signal) => store.header(spec, { signal }),
    nodes: () => [machine],
    unfit: () => [],
    speeds: async () => null,
    ring: ringSettingsOf(config),
    contextSize: config.ctx,
    strategy: config.strategy,
    minNodes: 1,
    // Of the command's own options the question speaks.
    draftModelFor: () => null,
    layers: null,
  });
  return {
    plan: async (question, signal) => planDocument(await planner.plan(parsePlanQuestion(question), signal)),
    estimate: async (question, signal) =>
      estimateDocument(await planner.estimate(parseEstimateQuestion(question), signal)),
  };
}
