import type { WireType } from "../config/config.js";
import { ExoError } from "../core/errors.js";
import { BITS_PER_WEIGHT, COMMON_QUANTISATIONS } from "../model/bits-per-weight.js";
import type { GgufInfo } from "../model/gguf-info.js";
import type { MemoryNeeds, StageMemory } from "../model/memory-estimate.js";
import { modelCost } from "./cost.js";
import { estimateAdvice } from "./estimate-advice.js";
import { stageFits } from "./memory-pools.js";
import { placeModel } from "./placement.js";
import type { Plan } from "./plan.js";
import { frameSeconds, WIRE_BYTES } from "./ring/make-problem.js";
import { HOP_SECONDS, type RingLink } from "./ring/ring-problem.js";
import { type TopologyNode, usableMemory } from "./topology.js";

export interface EstimateRequest {
  readonly model: string;
  readonly info: GgufInfo;
  readonly nodes: readonly TopologyNode[];
  /** With the context that is wanted. */
  readonly needs: MemoryNeeds;
  /** Files of the same model in other quantisations; empty: not known, and the common ones are estimated. */
  readonly siblings: readonly { readonly quantisation: string; readonly bytes: number }[];
  /** Between two nodes. */
  readonly link: RingLink;
  readonly wireType: WireType;
}

/** Whether something can be run here: on one node, only cut among several, or not at all. */
export type Fit = "one-node" | "split" | "no";

export interface NodeEstimate {
  readonly nodeId: string;
  readonly name: string;
  /** Bytes that stages may take. */
  readonly offers: number;
  readonly holdsAll: boolean;
  /** Layers that it could hold beside others, and tokens per slot if it held all; 0: none. */
  readonly mostLayers: number;
  readonly largestContext: number;
}

export interface QuantisationEstimate {
  readonly quantisation: string;
  /** Of the weights. */
  readonly bytes: number;
  readonly fit: Fit;
}

export interface NetworkEstimate {
  /** Of a token, at each hop. */
  readonly bytesPerHop: number;
  readonly hops: number;
  readonly secondsPerToken: number;
}

/** Whether a model can be run, what it takes, and what would change that. */
export interface Estimate {
  readonly model: string;
  readonly parameterCount: number;
  readonly quantisation: string;
  readonly bitsPerWeight: number;
  readonly contextTrained: number;
  readonly needs: MemoryNeeds;
  /** The whole model on one node. */
  readonly memory: StageMemory;
  /** Of the program itself, on each node. */
  readonly overhead: number;
  /** Of the KV cache, for one token. */
  readonly cacheBytesPerToken: number;
  readonly fit: Fit;
  /** Why it cannot be cut between any two layers; `null` where it can. */
  readonly uncut: string | null;
  /** Where the layers would go, by memory; `null` where they do not fit. */
  readonly plan: Plan | null;
  /** Tokens per slot that fit, at most those it was trained for or that are asked for; 0: not even the least. */
  readonly largestContext: number;
  readonly nodes: readonly NodeEstimate[];
  readonly quantisations: readonly QuantisationEstimate[];
  /** `null` where it runs on one node or not at all. */
  readonly network: NetworkEstimate | null;
  readonly advice: readonly string[];
}

/** What Node, the addon and their libraries take beside any model. Bytes; measured (docs/planning.md). */
const PROCESS_BYTES = 120 * 2 ** 20;

/** llama.cpp allocates the KV cache in steps of so many tokens. */
const CONTEXT_STEP = 256;

export function estimateModel(request: EstimateRequest): Estimate {
  const { model, info, needs } = request;
  const cost = modelCost(info, needs);
  const memory = cost.memory(0, cost.layerCount, true);
  const plan = planFor(request, info, needs);
  const facts = {
    model,
    parameterCount: info.parameterCount,
    quantisation: info.quantisation,
    bitsPerWeight: (weightsOf(info) * 8) / Math.max(1, info.parameterCount),
    contextTrained: info.contextTrained,
    needs,
    memory,
    overhead: PROCESS_BYTES,
    cacheBytesPerToken: cacheBytesPerToken(info, needs),
    fit: fitOf(plan),
    uncut: info.cuts.reason,
    plan,
    largestContext: largestContext(request, (contextSize) => fits(request, { ...needs, contextSize })),
    nodes: request.nodes.map((node) => nodeEstimate(request, node)),
    quantisations: quantisations(request),
    network: plan === null || plan.stages.length < 2 ? null : networkOf(request, plan),
  };
  return {
    ...facts,
    advice: estimateAdvice(facts, (changed, bytes) => fits(request, { ...needs, ...changed }, bytes)),
  };
}

function planFor({ model, nodes }: EstimateRequest, info: GgufInfo, needs: MemoryNeeds): Plan | null {
  if (nodes.length === 0) return null;
  const alone = nodes.find((node) => holdsAll(node, info, needs));
  const topology = { nodes: alone === undefined ? nodes : [alone] };
  try {
    return placeModel({ model, info, needs, topology, strategy: "memory-weighted" });
  } catch (thrown) {
    if (ExoError.from(thrown).code !== "out_of_memory") throw thrown;
    return null;
  }
}

function fitOf(plan: Plan | null): Fit {
  if (plan === null) return "no";
  return plan.stages.length === 1 ? "one-node" : "split";
}

/** @param bytes of the weights, if other than they are */
function fits(request: EstimateRequest, needs: MemoryNeeds, bytes: number | null = null): boolean {
  return planFor(request, bytes === null ? request.info : withWeights(request.info, bytes), needs) !== null;
}

function holdsAll(node: TopologyNode, info: GgufInfo, needs: MemoryNeeds): boolean {
  return stageFits(node, modelCost(info, needs), 0, info.layerCount, true);
}

/** The most tokens for which `holds`, in steps of the cache; what holds for a context holds for every smaller one. */
function largestContext({ info, needs }: EstimateRequest, holds: (contextSize: number) => boolean): number {
  const most = Math.max(info.contextTrained, needs.contextSize);
  if (holds(most)) return most;
  let [possible, impossible] = [0, Math.ceil(most / CONTEXT_STEP)];
  while (impossible - possible > 1) {
    const middle = Math.floor((possible + impossible) / 2);
    if (holds(middle * CONTEXT_STEP)) possible = middle;
    else impossible = middle;
  }
  return possible * CONTEXT_STEP;
}

function nodeEstimate(request: EstimateRequest, node: TopologyNode): NodeEstimate {
  const { info, needs } = request;
  const cost = modelCost(info, needs);
  const offers = usableMemory(node);
  let layers = 0;
  while (layers < info.layerCount && cost.bytes(0, layers + 1, false) <= offers) layers++;
  return {
    nodeId: node.id,
    name: node.name,
    offers,
    holdsAll: holdsAll(node, info, needs),
    mostLayers: layers,
    largestContext: largestContext(request, (contextSize) => holdsAll(node, info, { ...needs, contextSize })),
  };
}

function weightsOf({ layerBytes, embeddingBytes, outputBytes, sharedBytes }: GgufInfo): number {
  return layerBytes.reduce((sum, bytes) => sum + bytes, embeddingBytes + outputBytes + sharedBytes);
}

function cacheBytesPerToken(info: GgufInfo, needs: MemoryNeeds): number {
  const cache = (tokens: number): number =>
    modelCost(info, { ...needs, contextSize: tokens, slots: 1 }).memory(0, info.layerCount, false).kvCache;
  return (cache(2 * CONTEXT_STEP) - cache(CONTEXT_STEP)) / CONTEXT_STEP;
}

/** The largest first. Those not known by their files are estimated from the average bits of their weights. */
function quantisations(request: EstimateRequest): readonly QuantisationEstimate[] {
  const { info, siblings, needs } = request;
  const known =
    siblings.length > 0
      ? siblings
      : COMMON_QUANTISATIONS.map((quantisation) => ({
          quantisation,
          bytes: Math.ceil((info.parameterCount * (BITS_PER_WEIGHT[quantisation] ?? 0)) / 8),
        }));
  return known
    .map(({ quantisation, bytes }) => ({
      quantisation,
      bytes,
      fit: fitOf(planFor(request, withWeights(info, bytes), needs)),
    }))
    .toSorted((a, b) => b.bytes - a.bytes);
}

/** The same model with weights of so many bytes. */
function withWeights(info: GgufInfo, bytes: number): GgufInfo {
  const factor = bytes / Math.max(1, weightsOf(info));
  return {
    ...info,
    layerBytes: info.layerBytes.map((layer) => layer * factor),
    embeddingBytes: info.embeddingBytes * factor,
    tiedCopyBytes: info.tiedCopyBytes * factor,
    outputBytes: info.outputBytes * factor,
    sharedBytes: info.sharedBytes * factor,
  };
}

function networkOf({ info, link, wireType }: EstimateRequest, { stages }: Plan): NetworkEstimate {
  const bytesPerHop = info.embeddingSize * WIRE_BYTES[wireType];
  const hops = stages.length;
  return { bytesPerHop, hops, secondsPerToken: hops * (HOP_SECONDS + frameSeconds(link, bytesPerHop)) };
}
