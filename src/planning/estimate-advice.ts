import { formatByteSize } from "../config/byte-size.js";
import type { MemoryNeeds } from "../model/memory-estimate.js";
import { totalBytes } from "../model/memory-estimate.js";
import type { Estimate } from "./estimate.js";

/** Fewer tokens than this are no use as a context. */
const LEAST_CONTEXT = 512;
/** What is proposed together with another quantisation, where that alone is not enough. */
const SMALL = { contextSize: 2048, slots: 1 } as const;

/** Whether it fits with other needs, and with weights of so many bytes; `null`: as they are. */
type FitsWith = (changed: Partial<MemoryNeeds>, weights: number | null) => boolean;

/**
 * What to do, in sentences: nothing, or what would make it fit, the least loss first.
 */
export function estimateAdvice(estimate: Omit<Estimate, "advice">, fitsWith: FitsWith): readonly string[] {
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

function missing({ memory, nodes, uncut }: Omit<Estimate, "advice">): string {
  const offered = nodes.reduce((sum, { offers }) => sum + offers, 0);
  const short = totalBytes(memory) - offered;
  const pieces = uncut ?? "its parts are larger than the pieces";
  const why =
    short > 0
      ? `${formatByteSize(short)} are missing`
      : `together that is enough, but not in the pieces that it is in: ${pieces}`;
  return `It does not fit: it takes ${formatByteSize(totalBytes(memory))}, and ${formatByteSize(offered)} are offered; ${why}.`;
}

function changes(estimate: Omit<Estimate, "advice">, fitsWith: FitsWith): readonly string[] {
  const { needs, largestContext } = estimate;
  const advice: string[] = [];
  if (largestContext >= LEAST_CONTEXT) advice.push(`With --ctx ${largestContext} it would fit.`);
  const slots = fewerSlots(needs, fitsWith);
  if (slots > 0) advice.push(`With --slots ${slots} it would fit.`);
  if (needs.kvType === "f16" && needs.kvTypeV === "f16" && fitsWith({ kvType: "q8_0", kvTypeV: "q8_0" }, null)) {
    advice.push("With --kv q8_0 it would fit.");
  }
  advice.push(...otherQuantisation(estimate, fitsWith));
  const more = totalBytes(estimate.memory) - estimate.nodes.reduce((sum, { offers }) => sum + offers, 0);
  if (more > 0) advice.push(`Or add nodes that offer ${formatByteSize(more)} or more.`);
  return advice;
}

/** The best that fits as it is, else the best that fits with a small context and one slot. */
function otherQuantisation({ quantisations, needs }: Omit<Estimate, "advice">, fitsWith: FitsWith): readonly string[] {
  const best = quantisations.find(({ fit }) => fit !== "no");
  if (best !== undefined) {
    const how = best.fit === "split" ? ", cut among nodes" : "";
    return [`In ${best.quantisation} (${formatByteSize(best.bytes)} of weights) it would fit${how}.`];
  }
  const contextSize = Math.min(SMALL.contextSize, needs.contextSize);
  const small = quantisations.find(({ bytes }) => fitsWith({ ...SMALL, contextSize }, bytes));
  if (small === undefined) return [];
  return [
    `In ${small.quantisation} (${formatByteSize(small.bytes)} of weights) it would fit with --ctx ${contextSize} --slots ${SMALL.slots}.`,
  ];
}

/** The most slots with which it fits; 0: none. */
function fewerSlots({ slots }: MemoryNeeds, fitsWith: FitsWith): number {
  for (let fewer = slots - 1; fewer > 0; fewer--) if (fitsWith({ slots: fewer }, null)) return fewer;
  return 0;
}
