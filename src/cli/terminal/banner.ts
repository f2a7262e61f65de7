import { formatHostPort, parseHostPort } from "../../config/address.js";
import { reachableHost } from "../../transport/reachable-host.js";
import type { Paint } from "./paint.js";

/** What a started node tells whoever started it. */
export interface BannerFacts {
  readonly version: string;
  readonly name: string;
  readonly httpUrl: string;
  /** `host:port` that the gRPC server is bound to. */
  readonly grpcAddress: string;
}

/** A few lines that say where the node is and how another one joins it. */
export function bannerText(facts: BannerFacts, paint: Paint): string {
  const lines = [
    ["chat page", facts.httpUrl],
    ["OpenAI API", `${facts.httpUrl}/v1`],
    ["for nodes", facts.grpcAddress],
    ["to join it", joinText(facts.grpcAddress)],
  ] as const;
  const title = `${paint("bold", `exo-native ${facts.version}`)}  ${facts.name}`;
  return [title, ...lines.map(([what, where]) => `  ${paint("dim", what.padEnd(10))}  ${where}`), ""].join("\n");
}

function joinText(grpcAddress: string): string {
  const bound = parseHostPort(grpcAddress, 0);
  if (bound === null) return "npx exo-native serve --peer <host:port>";
  if (isLoopback(bound.host)) return "from this machine only; --open lets machines of a network you trust in";
  const reachable = formatHostPort({ host: reachableHost(bound.host), port: bound.port });
  return `npx exo-native serve --open --peer ${reachable}`;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
