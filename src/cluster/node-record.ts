import { z } from "zod";
import { ExoError } from "../core/errors.js";
import { addressesField } from "./addresses.js";
import { linkRecordSchema } from "./link-record.js";
import { download, heldModel } from "./model-records.js";
import { modelRequestSchema } from "./model-request.js";
import { powerSchema } from "./power-record.js";
import { predictionSchema } from "./prediction-record.js";
import { ringRates } from "./ring-rates.js";
import { ringTokens } from "./ring-tokens.js";
import { stampFields } from "./stamp.js";
import { MOST_UNFIT, unfitRecord } from "./unfit-record.js";

const bytes = z.number().nonnegative();
const count = z.int().nonnegative();
const text = z.string().max(4096);

const memory = z.object({ weights: bytes, kvCache: bytes, compute: bytes, output: bytes });

/** What a stage did since it was loaded; differences between two records tell what lies between them. */
const work = z.object({
  microBatches: count,
  rows: count,
  /** Times that the addon copied hidden states, on arrival or for the next stage. */
  copies: count,
  computeSeconds: z.number().nonnegative(),
  /** To the next stage; bytes as messages, without gRPC's and HTTP/2's own. */
  framesSent: count,
  bytesSent: bytes,
});

/** Milliseconds per hop beyond computing, over the last ways round. */
const hopTimes = z.object({ samples: count, p50: z.number().nonnegative(), p99: z.number().nonnegative() });

const device = z.object({
  name: text,
  description: text,
  kind: z.enum(["cpu", "gpu", "igpu", "accelerator"]),
  memoryFree: bytes,
  memoryTotal: bytes,
});

/** A layer range that a node holds in memory. */
const heldStage = z.object({
  ringId: text,
  epoch: count,
  model: text,
  stageIndex: count,
  layerBegin: count,
  layerEnd: count,
  hasOutput: z.boolean(),
  memory,
  work,
});

/** A layer range that a node has loaded for no ring: what one left behind, or a spare. Who needs the memory gets it. */
const keptStage = z.object({
  /** For which it was loaded. */
  ringId: text,
  /** Spec of the model. */
  spec: text,
  layerBegin: count,
  layerEnd: count,
  hasOutput: z.boolean(),
  contextSize: count,
  /** It stands by for the stage of another node. */
  spare: z.boolean(),
  memory,
});

const ringStage = z.object({
  nodeId: text,
  nodeName: text,
  layerBegin: count,
  layerEnd: count,
  hasOutput: z.boolean(),
  memory,
  /** Bytes of weights that the plan counted for this stage. */
  plannedWeights: bytes,
  /** The same with KV cache and compute buffers: spoken for until the stage is loaded. */
  plannedBytes: bytes,
  /** 0…1 while loading, 1 when loaded. */
  progress: z.number().min(0).max(1),
  /** `waiting`, `fetch`, `load` or `loaded`. */
  phase: text,
  /** It stayed loaded from the ring before. Absent: it did not, or is not loaded yet. */
  kept: z.boolean().exactOptional(),
});

/** What the numbers that a ring computes depend on, beside the weights. */
const computing = z.object({
  /** Most rows in one compute pass. */
  ubatch: count,
  kvTypeK: text,
  kvTypeV: text,
  flashAttention: text,
  wireType: text,
});

/** A node that stands by for a stage. */
const spare = z.object({
  nodeId: text,
  layerBegin: count,
  layerEnd: count,
  state: z.enum(["fetching", "fetched", "loaded", "failed"]),
});

/** A model on a ring, as its head tells it. */
const ring = z.object({
  id: text,
  epoch: count,
  /** Name of the model in the API. */
  model: text,
  /** What another node needs to find the same model. */
  spec: text,
  /** As it was asked for, where that is another spelling. */
  askedAs: text,
  /** 0, or which further ring of the same model. */
  replica: count,
  /** Id of the node that planned it and asked this head; the head's own where nobody else did. */
  proposedBy: text,
  /** Stays loaded, however long nobody asks. */
  pinned: z.boolean(),
  /** Answers what it has begun, and is gone then: another ring serves the model. */
  draining: z.boolean(),
  /** Failed, and will not be tried again. */
  gaveUp: z.boolean(),
  /** Seconds since the last request ended; `null` while one runs, and before it is ready. */
  idleSeconds: z.number().nonnegative().nullable(),
  /** Unused for so long, it is unloaded; `null`: never. */
  keepAliveSeconds: z.number().nonnegative().nullable().exactOptional(),
  state: z.enum(["waiting", "loading", "ready", "failed"]),
  /** It answered and broke a moment ago, and is brought back: who asks waits. Absent: it does not. */
  healing: z.boolean().exactOptional(),
  /** As it was asked for, so that another node can go on with it. Absent: told by a node that does not say. */
  request: modelRequestSchema.exactOptional(),
  /** Why it is not ready, or `null`. */
  reason: text.nullable(),
  layerCount: count,
  contextSize: count,
  slots: count,
  busySlots: count,
  waitingRequests: count,
  /** `null` before it is placed. */
  computing: computing.nullable(),
  /** Of the head's own stage. */
  work,
  /** `null` for a ring of one node, and before anything was computed. */
  hops: hopTimes.nullable(),
  rates: ringRates,
  tokens: ringTokens,
  /** Milliseconds that each hop took lately, the one from the head first. */
  hopMs: z.array(z.number().nonnegative()).max(1024),
  microBatchesUnderWay: count,
  stages: z.array(ringStage).max(1024),
  /** Absent: none. */
  spares: z.array(spare).max(1024).exactOptional(),
  /** Why it was placed so. */
  planReasons: z.array(text).max(1024),
  prediction: predictionSchema,
  card: z.object({
    created: z.number(),
    contextTrained: count,
    vocabularySize: count,
    embeddingSize: count,
    parameterCount: z.number().nonnegative(),
    sizeBytes: bytes,
    architecture: text,
    /** What it can be asked for: `completion`, `embedding`. Absent: not known yet. */
    capabilities: z.array(text).max(16).exactOptional(),
  }),
});

export const nodeRecordSchema = z.object({
  id: text.min(1).max(128),
  ...stampFields,
  name: text.min(1),
  version: text,
  llamaTag: text,
  grpcPort: z.int().min(0).max(65_535),
  /** Where this node listens for gRPC, as it sees itself: `host:port`, best first. */
  addresses: addressesField,
  /** Where this node answers HTTP, or `null`. */
  httpAddress: text.nullable(),
  devices: z.array(device).max(256),
  /** Nodes that say the same share their processors; "" when it is not known. */
  machine: text,
  /** One logical CPU of each core that the node may use. */
  cores: z.array(count).max(4096),
  /** As its owner set them: for one row, and for several; `null`: one per core. */
  threads: z.object({ decode: count.nullable(), batch: count.nullable() }),
  /** Most bytes that the owner offers, or `null` for no cap. */
  memoryCap: bytes.nullable(),
  stages: z.array(heldStage).max(1024),
  kept: z.array(keptStage).max(1024).default([]),
  /** It takes no new layers, and rings are placed without it. */
  draining: z.boolean().default(false),
  /** Ids of the members that this node counts as alive. */
  knows: z.array(text).max(1024),
  /** Rings whose head this node is. */
  rings: z.array(ring).max(256),
  power: powerSchema,
  /** Ways to other nodes that this node measured. */
  links: z.array(linkRecordSchema).max(4096),
  /** In this node's cache. */
  models: z.array(heldModel).max(4096).default([]),
  downloads: z.array(download).max(256).default([]),
  /** Nodes that could not load their stage of a ring whose head this node is. */
  unfit: z.array(unfitRecord).max(MOST_UNFIT).default([]),
});

export type NodeRecord = z.infer<typeof nodeRecordSchema>;
export type HeldStage = z.infer<typeof heldStage>;
export type KeptStageRecord = z.infer<typeof keptStage>;
export type RingRecord = z.infer<typeof ring>;
export type RingStageRecord = z.infer<typeof ringStage>;
export type SpareRecord = z.infer<typeof spare>;
export type StageMemoryRecord = z.infer<typeof memory>;

export type StageWorkRecord = z.infer<typeof work>;
export type RingComputingRecord = z.infer<typeof computing>;
export type HopTimesRecord = z.infer<typeof hopTimes>;

export const NO_MEMORY: StageMemoryRecord = { weights: 0, kvCache: 0, compute: 0, output: 0 };

export const NO_WORK: StageWorkRecord = {
  microBatches: 0,
  rows: 0,
  copies: 0,
  computeSeconds: 0,
  framesSent: 0,
  bytesSent: 0,
};

/** Reads what a peer says of itself. Throws `peer_incompatible` naming the field that is wrong. */
export function parseNodeRecord(value: unknown): NodeRecord {
  return parsePart(nodeRecordSchema, value);
}

/** Reads what a head says of one of its rings. Throws `peer_incompatible` naming the field that is wrong. */
export function parseRingRecord(value: unknown): RingRecord {
  return parsePart(ring, value);
}

function parsePart<Part>(schema: z.ZodType<Part>, value: unknown): Part {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new ExoError(
    "peer_incompatible",
    `The peer's record is malformed at ${issue?.path.join(".") || "its root"}: ${issue?.message ?? "unknown fault"}.`,
  );
}
