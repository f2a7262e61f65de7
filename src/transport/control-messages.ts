import { z } from "zod";
import { KV_TYPES } from "../config/config.js";
import { ExoError } from "../core/errors.js";
import { isId } from "./caller.js";
import type { LoadStageEvent__Output, LoadStageEvent as WireLoadEvent } from "./generated/exo/v1/LoadStageEvent.js";
import type { LoadStageEvent, LoadStageRequest, NodeHello, StagePlace, StopModelOrder } from "./node-service.js";

/** The messages of `node.proto` as they arrive: protobuf knows no required fields, ranges or sets of words. */

const id = z.string().refine(isId, "an id is 1 to 128 printable ASCII characters without spaces");
const u32 = z.int().min(0).max(0xffff_ffff);
const positive = u32.min(1);
const kvType = z.enum(KV_TYPES);
const fraction = z.number().min(0).max(1);
const bytes = z.number().nonnegative();

export const nodeHelloSchema: z.ZodType<NodeHello> = z.object({
  nodeId: id,
  name: z.string().max(256),
  version: z.string().max(64),
  protocolVersion: u32,
  llamaTag: z.string().max(64),
  llamaCommit: z.string().max(64),
  capabilities: z.array(z.string().max(64)).max(256),
  grpcPort: u32.max(65_535),
  cluster: z.string().max(64),
  timeMs: z.number().nonnegative(),
  instance: id.max(64),
});

export const stagePlaceSchema: z.ZodType<StagePlace> = z
  .object({ ringId: id, epoch: u32, stageIndex: u32.max(0xffff), stageCount: positive.max(0xffff) })
  .refine(({ stageIndex, stageCount }) => stageIndex < stageCount, "stageIndex is beyond stageCount");

export const loadStageRequestSchema: z.ZodType<LoadStageRequest> = z
  .object({
    place: stagePlaceSchema,
    model: z.string().min(1).max(4096),
    layerBegin: u32,
    layerEnd: u32,
    hasOutput: z.boolean(),
    contextSize: positive,
    maxSequences: positive,
    batchSize: positive,
    microBatchSize: positive,
    kvTypeK: kvType,
    kvTypeV: kvType,
    flashAttention: z.enum(["auto", "on", "off"]),
    wireType: z.enum(["f32", "f16", "q8_0"]),
    cores: u32,
    modelHash: z.string().regex(/^([0-9a-f]{64})?$/, "modelHash is no sha256"),
    replaces: z.array(id).max(64),
    spare: z.enum(["", "load", "fetch"]),
    nextHop: z.object({ nodeId: id, host: z.string().min(1).max(256), port: positive.max(65_535) }),
  })
  .refine(({ layerBegin, layerEnd }) => layerBegin <= layerEnd, "layerBegin is beyond layerEnd");

/** What of `PlaceModelRequest` is not packed. */
export const placeModelSchema = z.object({ ringId: id, askedBy: id });

const modelName = z.string().min(1).max(4096);

export const stopModelSchema: z.ZodType<StopModelOrder> = z.object({
  ringId: id,
  model: modelName,
  spec: modelName,
  askedAs: modelName,
  replica: u32,
  onlyIfIdle: z.boolean(),
});

const progressSchema = z.object({ phase: z.enum(["fetch", "load"]), fraction });

const loadedStageSchema = z.object({
  architecture: z.string().max(256),
  layerCount: u32,
  embeddingSize: positive,
  contextSize: u32,
  weightsBytes: bytes,
  kvCacheBytes: bytes,
  computeBytes: bytes,
  outputBytes: bytes,
  loadSeconds: z.number().nonnegative(),
  kept: z.boolean(),
});

export function toWireLoadEvent(event: LoadStageEvent): WireLoadEvent {
  if (event.type === "done") return { done: event.stage };
  return { progress: { phase: event.phase, fraction: event.fraction } };
}

export function fromWireLoadEvent(message: LoadStageEvent__Output, peer: string): LoadStageEvent {
  const progress = progressSchema.safeParse(message.progress);
  if (progress.success) return { type: "progress", ...progress.data };
  const done = loadedStageSchema.safeParse(message.done);
  if (done.success) return { type: "done", stage: done.data };
  throw new ExoError("peer_incompatible", `${peer} reported on a load in a way that this node cannot read.`);
}
