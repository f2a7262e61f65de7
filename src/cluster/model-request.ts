import { z } from "zod";
import {
  FLASH_ATTENTION_MODES,
  KV_TYPES,
  type KvType,
  type Settings,
  STRATEGIES,
  type Strategy,
  WIRE_TYPES,
} from "../config/config.js";
import type { LayerAssignment } from "../config/layer-assignment.js";
import { ExoError } from "../core/errors.js";
import { type RingSettings, ringSettingsOf, withCache } from "./ring-settings.js";

/** A model that was asked for, and how: plain data, for it is sent to the node that is to be the head, and kept in a file. */
export interface ModelRequest {
  /** In the spelling of `canonicalSpec`. */
  readonly spec: string;
  /** 0, or which further ring of the same model. */
  readonly replica: number;
  /** Id of the node that is to be the head; `null`: as planned. */
  readonly head: string | null;
  /** Id of the node that is the head unless another one is clearly better; `null`: none. */
  readonly preferredHead: string | null;
  readonly minNodes: number;
  /** Placement by hand. */
  readonly layers: readonly LayerAssignment[] | null;
  /** Names or ids of the nodes to use, which all must be there; `null`: any. */
  readonly nodes: readonly string[] | null;
  readonly strategy: Strategy;
  /** Tokens per slot; `null`: as fits. */
  readonly contextSize: number | null;
  readonly ring: Omit<RingSettings, "contextSize">;
  /** Stays loaded, however long nobody asks. */
  readonly pinned: boolean;
  /** Unloaded when nobody asked for so long; `null`, for JSON knows no infinity: never. */
  readonly keepAliveSeconds: number | null;
  /** Other nodes that stand by for each stage. */
  readonly spares: number;
  /** It goes on where rings left off that are gone; absent: there was none. */
  readonly replaces?: RingRemains;
}

/** What rings left behind, for the one that takes their place. */
export interface RingRemains {
  readonly ringIds: readonly string[];
  /** Tokens per slot: stages that are loaded have room for no more. */
  readonly contextSize: number;
}

/** What of a request can be said; what is absent or `null` is as this node's settings have it. */
export interface LoadOptions {
  readonly preferredHead?: string | null;
  readonly minNodes?: number | null;
  readonly layers?: readonly LayerAssignment[] | null;
  readonly nodes?: readonly string[] | null;
  readonly strategy?: Strategy | null;
  readonly contextSize?: number | null;
  readonly slots?: number | null;
  readonly kv?: KvType | null;
  /** Of the values, where it is not that of the keys. */
  readonly kvV?: KvType | null;
  readonly pinned?: boolean | null;
  /** `Infinity`: never. */
  readonly keepAliveSeconds?: number | null;
  readonly spares?: number | null;
  /** Rings of the model, each on one node that holds it whole. */
  readonly replicas?: number | null;
}

export type RequestSettings = Pick<
  Settings,
  | "minNodes"
  | "strategy"
  | "ctx"
  | "slots"
  | "ubatch"
  | "kv"
  | "kvV"
  | "flashAttention"
  | "wire"
  | "keepAlive"
  | "spares"
>;

const text = z.string().min(1).max(4096);
const positive = z
  .int()
  .min(1)
  .max(2 ** 31);

const remainsSchema = z.object({ ringIds: z.array(text).max(64), contextSize: positive });

/** The same as it comes from a peer or a file. */
export const modelRequestSchema: z.ZodType<ModelRequest> = z.object({
  spec: text,
  replica: z.int().min(0).max(1024),
  head: text.nullable(),
  preferredHead: text.nullable(),
  minNodes: positive,
  layers: z
    .array(z.object({ node: text, begin: z.int().min(0), end: z.int().min(1) }))
    .max(1024)
    .nullable(),
  nodes: z.array(text).max(1024).nullable(),
  strategy: z.enum(STRATEGIES),
  contextSize: positive.nullable(),
  ring: z.object({
    slots: positive.max(256),
    batchSize: positive.max(8192),
    microBatchSize: positive.max(8192),
    kvTypeK: z.enum(KV_TYPES),
    kvTypeV: z.enum(KV_TYPES),
    flashAttention: z.enum(FLASH_ATTENTION_MODES),
    wireType: z.enum(WIRE_TYPES),
  }),
  pinned: z.boolean(),
  keepAliveSeconds: z.number().min(0).nullable(),
  spares: z.int().min(0).max(64).default(0),
  replaces: remainsSchema.exactOptional(),
});

/** Reads what a peer asks for, or what a file holds. Throws `invalid_argument` naming the field that is wrong. */
export function parseModelRequest(value: unknown): ModelRequest {
  const result = modelRequestSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new ExoError(
    "invalid_argument",
    `A request for a model is malformed at ${issue?.path.join(".") || "its root"}: ${issue?.message ?? "unknown fault"}.`,
  );
}

export function modelRequest(spec: string, settings: RequestSettings, options: LoadOptions = {}): ModelRequest {
  return {
    spec,
    replica: 0,
    head: null,
    preferredHead: options.preferredHead ?? null,
    minNodes: options.minNodes ?? settings.minNodes,
    layers: options.layers ?? null,
    nodes: options.nodes ?? null,
    strategy: options.strategy ?? settings.strategy,
    contextSize: options.contextSize ?? settings.ctx,
    ring: withCache({ ...ringSettingsOf(settings), slots: options.slots ?? settings.slots }, options),
    pinned: options.pinned ?? false,
    keepAliveSeconds: finite(options.keepAliveSeconds ?? settings.keepAlive),
    spares: options.spares ?? settings.spares,
  };
}

function finite(seconds: number): number | null {
  return Number.isFinite(seconds) ? seconds : null;
}
