import { type HostPort, type ListenAddress, parseHostPort } from "../../config/address.js";
import type { Config } from "../../config/config.js";
import { DEFAULT_GRPC_PORT } from "../../config/options.js";
import { anyHost, outsideHosts, reachableHost } from "../../transport/reachable-host.js";
import { clientFor } from "../node-client/client-for.js";
import type { ClusterDocument } from "../node-client/cluster-document.js";

/** The node that runs on this machine, as far as it tells. */
export interface RunningNode {
  /** `host:port` of its gRPC server. */
  readonly address: string;
  /** Addresses of the others. */
  readonly others: readonly string[];
  readonly cluster: ClusterDocument;
}

/** `null`: none answers. */
export async function runningNode(config: Config, url: unknown): Promise<RunningNode | null> {
  const cluster = await clientFor(config, url)
    .cluster()
    .catch(() => null);
  const self = cluster?.nodes.find(({ id }) => id === cluster.node.id);
  if (cluster == null || self === undefined) return null;
  const others = cluster.nodes.flatMap(({ id, address, state }) =>
    id !== self.id && state === "alive" ? [address] : [],
  );
  return { address: self.address, others, cluster };
}

const MOST_ADDRESSES = 4;

/** Where a newcomer reaches the node of this machine: as it runs, else as it would be started. */
export function invitePeers(grpc: ListenAddress, node: RunningNode | null): readonly HostPort[] {
  const running = node === null ? null : parseHostPort(node.address, DEFAULT_GRPC_PORT);
  const { host, port } = running ?? { host: grpc.host ?? anyHost(), port: grpc.port };
  const everywhere = grpc.host === null && outsideHosts().includes(reachableHost(host));
  const hosts = everywhere ? outsideHosts() : [reachableHost(host)];
  return hosts.slice(0, MOST_ADDRESSES).map((one) => ({ host: one, port }));
}
