import type { Scope } from "../../config/keys/scopes.js";

const INFER: readonly Scope[] = ["infer"];
const READ: readonly Scope[] = ["read"];
const ADMIN: readonly Scope[] = ["admin"];
/** Clients that only ask models look first which there are. */
const EITHER: readonly Scope[] = ["infer", "read"];

/**
 * What a key must be good for, any one of these, to be let in, by method and route. A route that stands here nowhere is not
 * served, so none is open by mistake. `docs/api.md` has the same table; a test holds the two together.
 */
export const ROUTE_SCOPES: ReadonlyMap<string, readonly Scope[]> = new Map([
  ["POST /v1/chat/completions", INFER],
  ["POST /v1/completions", INFER],
  ["POST /v1/embeddings", INFER],
  ["POST /v1/responses", INFER],
  ["POST /v1/responses/input_tokens", INFER],
  ["GET /v1/responses/*", INFER],
  ["POST /v1/responses/*", INFER],
  ["DELETE /v1/responses/*", INFER],
  ["POST /v1/messages", INFER],
  ["POST /v1/messages/count_tokens", INFER],
  ["GET /v1/models", EITHER],
  ["GET /v1/models/*", EITHER],
  ["POST /tokenize", INFER],
  ["POST /detokenize", INFER],
  ["POST /apply-template", INFER],
  ["POST /api/chat", INFER],
  ["POST /api/generate", INFER],
  ["POST /api/embed", INFER],
  ["POST /api/embeddings", INFER],
  ["GET /api/version", EITHER],
  ["GET /api/tags", EITHER],
  ["GET /api/ps", EITHER],
  ["POST /api/show", EITHER],
  ["POST /api/pull", ADMIN],
  ["DELETE /api/delete", ADMIN],
  ["POST /api/create", ADMIN],
  ["POST /api/copy", ADMIN],
  ["POST /api/push", ADMIN],
  ["HEAD /api/blobs/:digest", ADMIN],
  ["POST /api/blobs/:digest", ADMIN],
  ["GET /metrics", READ],
  ["GET /cluster", READ],
  ["GET /cluster/events", READ],
  ["GET /cluster/traces", READ],
  ["GET /cluster/traces/:id", READ],
  // They read files of models, and may fetch some.
  ["POST /cluster/plan", ADMIN],
  ["POST /cluster/estimate", ADMIN],
  ["POST /cluster/rings", ADMIN],
  ["DELETE /cluster/rings/:id", ADMIN],
  ["POST /cluster/drain", ADMIN],
  // It looks at the machine for some seconds.
  ["GET /cluster/doctor", ADMIN],
]);

/** `undefined`: nobody said. `HEAD` asks for what `GET` does. */
export function scopesOf(method: string, route: string): readonly Scope[] | undefined {
  const own = ROUTE_SCOPES.get(`${method} ${route}`);
  return own ?? (method === "HEAD" ? ROUTE_SCOPES.get(`GET ${route}`) : undefined);
}
