import { z } from "zod";
import type { NodeProcess } from "./node-process.js";

const ringSchema = z.object({
  id: z.string(),
  epoch: z.number(),
  model: z.string(),
  state: z.string(),
  reason: z.string().nullable(),
  pinned: z.boolean(),
  plan: z.array(z.string()),
  stages: z.array(
    z.object({ node_name: z.string(), layer_begin: z.int(), layer_end: z.int(), kept: z.boolean().optional() }),
  ),
  spares: z.array(z.object({ node_name: z.string(), state: z.string() })).optional(),
  work: z.object({ rows: z.number() }).optional(),
});

const nodeSchema = z.object({
  name: z.string(),
  state: z.string(),
  draining: z.boolean().optional(),
  kept: z.array(z.object({ layer_begin: z.int(), spare: z.boolean() })).optional(),
  stages: z.array(z.object({ ring_id: z.string(), work: z.object({ rows: z.number() }) })).optional(),
});

const clusterSchema = z.object({ nodes: z.array(nodeSchema), rings: z.array(ringSchema) });

export type SeenRing = z.infer<typeof ringSchema>;

/** What `GET /cluster` says there. */
export async function clusterAt(node: NodeProcess): Promise<z.infer<typeof clusterSchema>> {
  return clusterSchema.parse(await (await fetch(`${node.http}/cluster`)).json());
}

export async function readyRingsAt(node: NodeProcess): Promise<readonly SeenRing[]> {
  return (await clusterAt(node)).rings.filter(({ state }) => state === "ready");
}

export function sendJson(node: NodeProcess, method: "POST" | "DELETE", path: string, body?: object): Promise<Response> {
  return fetch(`${node.http}${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
}
