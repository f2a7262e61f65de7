import { parseHostPort } from "../../config/address.js";
import { formatInvite } from "../../config/invite.js";
import { outsideHosts, reachableHost } from "../../transport/reachable-host.js";
import type { Paint } from "./paint.js";

/** What a started node tells whoever started it. */
export interface BannerFacts {
  readonly version: string;
  readonly name: string;
  readonly httpUrl: string;
  /** `host:port` that the gRPC server is bound to. */
  readonly grpcAddress: string;
  /** `null`: the one of nodes that name none. */
  readonly cluster: string | null;
  /** In a cluster with a secret: what this node may do there. */
  readonly role?: "admin" | "member";
  /** Nodes on the same network find it without an address. */
  readonly announced: boolean;
}

type Line = readonly [what: string, where: string];

/** A few lines that say where the node is and how another one joins it. */
export function bannerText(facts: BannerFacts, paint: Paint): string {
  const lines: readonly Line[] = [
    ["chat page", facts.httpUrl],
    ["OpenAI API", `${facts.httpUrl}/v1`],
    ["for nodes", facts.grpcAddress],
    ...joinLines(facts),
  ];
  const title = `${paint("bold", `exo-native ${facts.version}`)}  ${facts.name}`;
  return [title, ...lines.map(([what, where]) => `  ${paint("dim", what.padEnd(10))}  ${where}`), ""].join("\n");
}

function joinLines({ grpcAddress, cluster, announced, role }: BannerFacts): readonly Line[] {
  if (role !== undefined) {
    const token =
      role === "admin" ? "npx exo-native cluster invite" : "npx exo-native cluster invite, on an admin of the cluster";
    return [...(cluster === null ? [] : ([["cluster", cluster]] as const)), ["to join it", token]];
  }
  const bound = parseHostPort(grpcAddress, 0);
  if (bound === null) return [["to join it", "npx exo-native serve --peer <host:port>"]];
  if (isLoopback(bound.host)) {
    return [["to join it", "from this machine only; --open lets machines of a network you trust in"]];
  }
  const invite = `npx exo-native serve --open --join ${quoted(inviteTo(bound.host, bound.port, cluster))}`;
  if (!announced) return [["to join it", invite]];
  const name = cluster === null ? "" : ` --cluster ${cluster}`;
  return [
    ["to join it", `npx exo-native serve --open${name}`],
    ["from afar", invite],
  ];
}

/** A few addresses, for it may be pasted on a machine that reaches only one of them. */
function inviteTo(host: string, port: number, cluster: string | null): string {
  const reachable = reachableHost(host);
  const hosts = reachable === host ? [host] : outsideHosts().slice(0, MOST_ADDRESSES);
  const peers = (hosts.length === 0 ? [reachable] : hosts).map((one) => ({ host: one, port }));
  return formatInvite({ peers, cluster });
}

const MOST_ADDRESSES = 3;

/** Shells would take a question mark or a bracket for a pattern of file names. */
function quoted(text: string): string {
  return /[?[]/.test(text) ? `"${text}"` : text;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
