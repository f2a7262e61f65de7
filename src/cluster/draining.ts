import type { Plan } from "../planning/plan.js";
import type { ModelRequest } from "./model-request.js";
import type { NodeRecord } from "./node-record.js";

/** A plan made without the nodes that are being drained, which says so. */
export function withDrained(plan: Plan, records: readonly Pick<NodeRecord, "name" | "draining">[]): Plan {
  const drained = records.filter(({ draining }) => draining);
  return { ...plan, reasons: [...plan.reasons, ...drained.map(({ name }) => drainedText(name))] };
}

function drainedText(name: string): string {
  return `${name} is not used: it is being drained.`;
}

/** A node that is being drained is the head no more, unless it was named. */
export function letGo(request: ModelRequest, { draining }: Pick<NodeRecord, "draining">): ModelRequest {
  if (!draining || request.nodes !== null || request.layers !== null) return request;
  return { ...request, head: null, preferredHead: null };
}
