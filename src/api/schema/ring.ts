import { z } from "zod";
import type { LoadOptions } from "../../cluster/model-request.js";
import { KV_TYPES, STRATEGIES } from "../../config/config.js";
import { parseKeepAlive } from "../../config/duration.js";
import { parseLayerAssignments } from "../../config/layer-assignment.js";
import { parseBody, wrongField } from "./parse-body.js";

const schema = z.object({
  model: z.string().min(1).max(4096),
  wait: z.boolean().nullish(),
  pinned: z.boolean().nullish(),
  replicas: z.int().min(1).max(256).nullish(),
  min_nodes: z.int().min(1).max(1000).nullish(),
  nodes: z.array(z.string().min(1).max(256)).min(1).max(1000).nullish(),
  strategy: z.enum(STRATEGIES).nullish(),
  context_size: z
    .int()
    .min(16)
    .max(2 ** 27)
    .nullish(),
  slots: z.int().min(1).max(256).nullish(),
  spares: z.int().min(0).max(64).nullish(),
  kv: z.enum(KV_TYPES).nullish(),
  kv_v: z.enum(KV_TYPES).nullish(),
  layers: z.string().nullish(),
  keep_alive: z.union([z.string(), z.number()]).nullish(),
});

export interface ParsedLoad {
  readonly model: string;
  readonly wait: boolean;
  readonly options: LoadOptions;
}

/** The body of `POST /cluster/rings`. */
export function parseLoad(body: unknown): ParsedLoad {
  const parsed = parseBody(schema, body);
  const layers = readText(parsed.layers, parseLayerAssignments);
  if (layers === undefined) throw wrongField(["layers"], 'ranges such as "0-11@node-a,11-22@node-b"', body);
  const keepAlive = readText(parsed.keep_alive?.toString(), parseKeepAlive);
  if (keepAlive === undefined) throw wrongField(["keep_alive"], 'seconds, or a time such as "30m" or "never",', body);
  const replicas = parsed.replicas ?? 1;
  if (replicas > 1 && layers !== null) {
    throw wrongField(["layers"], "nothing beside replicas, which are each on one node,", body);
  }
  return {
    model: parsed.model,
    wait: parsed.wait ?? false,
    options: {
      replicas,
      pinned: parsed.pinned ?? false,
      minNodes: parsed.min_nodes ?? null,
      nodes: parsed.nodes ?? null,
      strategy: parsed.strategy ?? null,
      contextSize: parsed.context_size ?? null,
      slots: parsed.slots ?? null,
      spares: parsed.spares ?? null,
      kv: parsed.kv ?? null,
      kvV: parsed.kv_v ?? null,
      layers,
      keepAliveSeconds: keepAlive,
    },
  };
}

/** `null`: nothing was said; `undefined`: not understood. */
function readText<Value>(text: string | null | undefined, parse: (text: string) => Value | null) {
  return text === null || text === undefined ? null : (parse(text) ?? undefined);
}
