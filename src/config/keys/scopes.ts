/** What an API key may be used for: to ask models, to look, and to change what the node does. */
export const SCOPES = ["infer", "read", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** Of a key that is given without a word about what it is for. */
export const DEFAULT_SCOPES: readonly Scope[] = ["infer", "read"];
