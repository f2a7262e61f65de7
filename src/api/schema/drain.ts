import { z } from "zod";
import { parseBody } from "./parse-body.js";

const schema = z.object({ node: z.string().min(1).max(256), drain: z.boolean().nullish() });

/** The body of `POST /cluster/drain`. */
export function parseDrain(body: unknown): { readonly node: string; readonly draining: boolean } {
  const { node, drain } = parseBody(schema, body);
  return { node, draining: drain ?? true };
}
