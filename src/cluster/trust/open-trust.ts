import { type HostPort, parseHostPort } from "../../config/address.js";
import type { Config } from "../../config/config.js";
import { DEFAULT_GRPC_PORT } from "../../config/options.js";
import { ExoError } from "../../core/errors.js";
import { type Logger, systemClock } from "../../core/ports.js";
import { isLoopback } from "../../transport/loopback.js";
import { ClusterTrust } from "./cluster-trust.js";
import { isInClusterOf, joinCluster } from "./join-cluster.js";
import { TrustStore } from "./trust-store.js";

type TrustConfig = Pick<Config, "paths" | "join" | "open" | "cluster" | "name">;

/** The cluster with a secret that this machine is in, joined first if a token was given; `null`: none. */
export async function openTrust(config: TrustConfig, logger: Logger): Promise<ClusterTrust | null> {
  const { paths, join, name } = config;
  const store = new TrustStore(paths.configDir);
  const token = join?.token;
  if (token !== undefined && !(await isInClusterOf(store, token))) {
    const { cluster, role } = await joinCluster(store, token, name, systemClock.wall());
    logger.info({ cluster, role }, "joined a cluster");
  }
  const trust = await ClusterTrust.open(paths.configDir);
  if (trust !== null) refuseContradictions(config, trust);
  return trust;
}

function refuseContradictions({ open, cluster }: TrustConfig, trust: ClusterTrust): void {
  if (open) {
    throw new ExoError(
      "invalid_argument",
      `This machine is in the cluster "${trust.cluster}", which has a secret, and --open lets any node in: leave out --open, or leave ` +
        "the cluster first (exo-native cluster leave).",
      { param: "--open" },
    );
  }
  if (cluster === null || cluster === trust.cluster) return;
  throw new ExoError(
    "invalid_argument",
    `This machine is in the cluster "${trust.cluster}", and --cluster names "${cluster}": leave out --cluster, or leave the cluster ` +
      "first (exo-native cluster leave).",
    { param: "--cluster" },
  );
}

/** In a cluster with a secret others are looked for as on a trusted network: who they are is seen by their certificates. */
export function discoverySettings(config: Config, trust: ClusterTrust | null): Config {
  if (trust === null) return config;
  return { ...config, open: true, peer: [...config.peer, ...trustedPeers(trust, config.grpc.host)] };
}

/** Where nodes of the cluster were when this machine joined; a node that is on this machine only looks nowhere else. */
function trustedPeers(trust: ClusterTrust, ownHost: string | null): readonly HostPort[] {
  const peers = trust.peers.flatMap((peer) => parseHostPort(peer, DEFAULT_GRPC_PORT) ?? []);
  return ownHost !== null && isLoopback(ownHost) ? peers.filter(({ host }) => isLoopback(host)) : peers;
}
