import { formatByteSize } from "../config/byte-size.js";
import type { MemoryNeeds } from "../model/memory-estimate.js";
import { totalBytes } from "../model/memory-estimate.js";
import type { Estimate } from "./estimate.js";

/** Fewer tokens than this are no use as a context. */
const LEAST_CONTEXT = 512;

/**
 * What to do, in sentences: nothing, or what would make it fit, the least loss first.
 *
 * @param fitsWith whether it fits with other needs
 */
export function estimateAdvice(
  estimate: Omit<Estimate, "advice">,
  fitsWith: (changed: Partial<MemoryNeeds>) => boolean,
): readonly string[] {
  if (estimate.nodes.length === 0) return ["No memory was named to fit it into."];
  return estimate.fit === "no" ? [missing(estimate), ...changes(estimate, fitsWith)] : good(estimate);
}

function good({ fit, plan, nodes, largestContext, needs, network }: Omit<Estimate, "advice">): readonly string[] {
  const names = (plan?.stages ?? []).map(({ nodeId }) => nodes.find((node) => node.nodeId === nodeId)?.name ?? nodeId);
  const where = fit === "one-node" ? `It fits on ${names.join()} alone.` : `It fits, cut among ${names.join(", ")}.`;
  const room = largestContext > needs.contextSize ? [`There is room for a context of ${largestContext} (--ctx).`] : [];
  const wire =
    network === null
      ? []
      : [`The way between nodes takes about ${(network.secondsPerToken * 1000).toFixed(1)} ms per token.`];
  return [where, ...room, ...wire];
}

function missing({ memory, nodes }: Omit<Estimate, "advice">): string {
  const offered = nodes.reduce((sum, { offers }) => sum + offers, 0);
  const short = totalBytes(memory) - offered;
  const why =
    short > 0
      ? `${formatByteSize(short)} are missing`
      : "it would be enough together, but not in the pieces that it is in";
  return `It does not fit: it takes ${formatByteSize(totalBytes(memory))}, and ${formatByteSize(offered)} are offered; ${why}.`;
}

function changes(estimate: Omit<Estimate, "advice">, fitsWith: (changed: Partial<MemoryNeeds>) => boolean) {
  const { needs, largestContext, quantisations } = estimate;
  const advice: string[] = [];
  if (largestContext >= LEAST_CONTEXT) advice.push(`With --ctx ${largestContext} it would fit.`);
  const slots = fewerSlots(needs, fitsWith);
  if (slots > 0) advice.push(`With --slots ${slots} it would fit.`);
  if (needs.kvType === "f16" && needs.kvTypeV === "f16" && fitsWith({ kvType: "q8_0", kvTypeV: "q8_0" })) {
    advice.push("With --kv q8_0 it would fit.");
  }
  const best = quantisations.find(({ fit }) => fit !== "no");
  if (best !== undefined) {
    const how = best.fit === "split" ? ", cut among nodes" : "";
    advice.push(`In ${best.quantisation} (${formatByteSize(best.bytes)} of weights) it would fit${how}.`);
  }
  const more = totalBytes(estimate.memory) - estimate.nodes.reduce((sum, { offers }) => sum + offers, 0);
  if (more > 0) advice.push(`Or add nodes that offer ${formatByteSize(more)} or more.`);
  return advice;
}

/** The most slots with which it fits; 0: none. */
function fewerSlots({ slots }: MemoryNeeds, fitsWith: (changed: Partial<MemoryNeeds>) => boolean): number {
  for (let fewer = slots - 1; fewer > 0; fewer--) if (fitsWith({ slots: fewer })) return fewer;
  return 0;
}
