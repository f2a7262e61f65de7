import { isIP, isIPv4 } from "node:net";
import { z } from "zod";

/** A machine of the tailnet that is on, and where. */
export interface TailnetPeer {
  readonly key: string;
  readonly address: string;
}

export interface TailnetStatus {
  /** `null` when it runs; else why not, as a sentence. */
  readonly fault: string | null;
  readonly peers: readonly TailnetPeer[];
}

/** Go writes `null` for lists and maps that are empty. */
const peer = z.looseObject({
  Online: z.boolean().default(false),
  OS: z.string().default(""),
  TailscaleIPs: z.array(z.string()).nullish(),
});

const status = z.looseObject({ BackendState: z.string(), Peer: z.record(z.string(), peer).nullish() });

/** Systems that this program does not run on. */
const NO_NODES: ReadonlySet<string> = new Set(["iOS", "android", "tvOS"]);

/** Reads what `tailscale status --json` prints. */
export function parseTailscaleStatus(text: string): TailnetStatus {
  const result = status.safeParse(parseJson(text));
  if (!result.success) return { fault: "The tailscale command printed something that cannot be read.", peers: [] };
  const { BackendState: state, Peer: peers } = result.data;
  if (state !== "Running") return { fault: `Tailscale is not connected (${state}).`, peers: [] };
  return { fault: null, peers: Object.entries(peers ?? {}).flatMap(([key, one]) => reachable(key, one)) };
}

function reachable(key: string, { Online, OS, TailscaleIPs }: z.output<typeof peer>): readonly TailnetPeer[] {
  const addresses = (TailscaleIPs ?? []).filter((address) => isIP(address) !== 0);
  const address = addresses.find(isIPv4) ?? addresses[0];
  return Online && !NO_NODES.has(OS) && address !== undefined ? [{ key, address }] : [];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
