import { hostname } from "node:os";

/** What a node may be called. */
export const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** The host's name, as far as a node may be called so. */
export function nameOfThisMachine(): string {
  const name = (hostname().split(".")[0] ?? "").replaceAll(/[^A-Za-z0-9_-]/g, "-").slice(0, 63);
  return NODE_NAME.test(name) ? name : "node";
}
