import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Config, DiscoveryKind } from "../config/config.js";
import { DEFAULT_GRPC_PORT } from "../config/options.js";
import { type Logger, systemClock } from "../core/ports.js";
import type { NodeHello } from "../transport/node-service.js";
import { announcementOf } from "./announcement.js";
import { CombinedDiscovery } from "./combined-discovery.js";
import type { Discovery, PeerProbe } from "./discovery.js";
import type { LocalInterfaces } from "./interfaces.js";
import { leavesThisMachine, listeningOn } from "./listening.js";
import { MdnsSource } from "./mdns-source.js";
import { MDNS_PORT, multicastOn } from "./multicast-socket.js";
import { PeerSearch } from "./peer-search.js";
import type { OfferSink, PeerSource, Sleep } from "./peer-source.js";
import { runCommand } from "./run-command.js";
import { StaticSource } from "./static-source.js";
import { isLinkLocal } from "./subnets.js";
import { TailscaleSource } from "./tailscale-source.js";

export interface CreateDiscoveryOptions {
  readonly config: Pick<Config, "discovery" | "open" | "grpc" | "peer" | "peersFile" | "join">;
  readonly probe: PeerProbe;
  readonly interfaces: LocalInterfaces;
  /** Who this node is; asked when it is told, so after the gRPC server has its port. */
  readonly own: () => NodeHello;
  readonly logger: Logger;
}

/** A node that is on this machine only looks for those that it is told of. */
const WITHOUT_OPEN: readonly DiscoveryKind[] = ["static"];
const WITH_OPEN: readonly DiscoveryKind[] = ["mdns", "static", "tailscale"];

/** Nodes that are named are asked whatever else is searched. */
export function discoveryKinds(
  config: Pick<Config, "discovery" | "open" | "peer" | "peersFile" | "join">,
): readonly DiscoveryKind[] {
  const { discovery, open, peer, peersFile, join } = config;
  const kinds = new Set(discovery ?? (open ? WITH_OPEN : WITHOUT_OPEN));
  if (peer.length > 0 || peersFile !== null || join !== null) kinds.add("static");
  return [...kinds];
}

/** The ways of finding peers that the settings ask for. */
export function createDiscovery(options: CreateDiscoveryOptions): Discovery {
  const { config, probe, interfaces, logger } = options;
  const search = new PeerSearch({ probe, logger, sleep: realSleep, linkTo: (host) => interfaces.linkTo(host) });
  const sources = discoveryKinds(config).map((kind) => SOURCES[kind](options, search, interfaces));
  return new CombinedDiscovery(search, sources, () => interfaces.learnPorts());
}

type MakeSource = (options: CreateDiscoveryOptions, sink: OfferSink, interfaces: LocalInterfaces) => PeerSource;

const realSleep: Sleep = async (milliseconds, signal) => {
  await delay(milliseconds, undefined, { signal });
};

const SOURCES: Readonly<Record<DiscoveryKind, MakeSource>> = {
  mdns: ({ own, config, logger }, sink, interfaces) =>
    new MdnsSource({
      own: () => announcementOf(own()),
      interfaces: () => listeningOn(config.grpc.host, interfaces.list()),
      beyondLoopback: leavesThisMachine(config.open, config.grpc.host),
      open: multicastOn(MDNS_PORT),
      sink,
      sleep: realSleep,
      clock: systemClock,
      logger,
    }),
  static: ({ config, logger }, sink) =>
    new StaticSource({
      peers: [...config.peer, ...(config.join?.peers ?? [])],
      file: config.peersFile,
      lookup: addressesOf,
      readFile: (file) => readFile(file, "utf8"),
      sink,
      sleep: realSleep,
      logger,
    }),
  tailscale: ({ config, logger }, sink) =>
    new TailscaleSource({
      run: runCommand,
      platform: process.platform,
      port: DEFAULT_GRPC_PORT,
      wanted: config.discovery !== null,
      sink,
      sleep: realSleep,
      logger,
    }),
};

/** As the system finds them: hosts file, DNS, `.local` names. Without the link's name an address of one link is no use. */
async function addressesOf(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true, verbatim: true });
  return [...new Set(found.map(({ address }) => address))].filter((address) => !isLinkLocal(address));
}
