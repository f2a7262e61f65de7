import type { Config } from "../../config/config.js";

/** Whether a node with these settings looks for others by mDNS. */
export function wantsMulticast({ discovery, open }: Config): boolean {
  // Not said: by all means, on a network that is trusted.
  const kinds: readonly string[] | null = discovery;
  return kinds === null ? open : kinds.includes("mdns");
}
