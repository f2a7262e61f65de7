import type { Config } from "../../config/config.js";
import { discoveryKinds } from "../../discovery/create-discovery.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, note, ok, warning } from "./finding.js";
import { type Firewall, findFirewalls, type OpenPort } from "./firewalls.js";
import type { DoctorSystem } from "./system.js";

const MDNS_PORT = 5353;

/** Whether other machines get through to a node. */
export const firewallCheck: Check = {
  subject: "the firewall",
  run: async (context) => {
    const firewalls = await findFirewalls(context.system);
    if (firewalls.length === 0) return [ok("firewall", "No firewall was found at work", unseen(context.system))];
    return firewalls.map((firewall) => judge(firewall, context));
  },
};

/** Honest about what a look from outside cannot show. */
function unseen({ platform, isRoot }: DoctorSystem): string {
  if (platform !== "linux" || isRoot) return "One in the network, or in a router, cannot be seen from here.";
  return "Rules of nftables and iptables can be read by root only; one in the network cannot be seen from here.";
}

function judge(firewall: Firewall, { config, system }: DoctorContext): Finding {
  const ports = portsOf(config);
  const shut = ports.filter((port) => firewall.verdict(port) !== "lets in");
  const list = (some: readonly OpenPort[]) => some.map(({ protocol, port }) => `${protocol} ${port}`).join(" and ");
  if (shut.length === 0) return ok("firewall", `${firewall.name} lets ${list(ports)} in`);
  const mend = firewall.mend(shut, networkOf(system));
  const certain = shut.some((port) => firewall.verdict(port) === "keeps out");
  const title = certain
    ? `${firewall.name} keeps other nodes out of ${list(shut)}`
    : `${firewall.name} is on; whether it lets ${list(shut)} in cannot be seen`;
  if (isForOthers(config)) return warning("firewall", title, "Other nodes come in there.", mend);
  return note(
    "firewall",
    title,
    "With these settings a node is for this machine only; with --open this matters.",
    mend,
  );
}

function portsOf(config: Config): readonly OpenPort[] {
  const nodes: OpenPort = { protocol: "tcp", port: config.grpc.port };
  return discoveryKinds(config).includes("mdns") ? [nodes, { protocol: "udp", port: MDNS_PORT }] : [nodes];
}

function isForOthers({ open, grpc }: Config): boolean {
  return open || (grpc.host !== null && !/^(?:127\.|::1$|localhost$)/.test(grpc.host));
}

/** The network of the first address that others have a way to, e.g. `192.168.1.0/24`. */
function networkOf(system: DoctorSystem): string | null {
  const all = Object.values(system.interfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all.find(({ family, internal, cidr }) => family === "IPv4" && !internal && cidr !== null);
  const [address = "", length = ""] = outside?.cidr?.split("/") ?? [];
  const bytes = address.split(".").map(Number);
  const bits = Number(length);
  if (bytes.length !== 4 || length === "" || !(bits >= 0 && bits <= 32)) return null;
  const kept = bytes.map((byte, index) => byte & (256 - 2 ** (8 - Math.min(8, Math.max(0, bits - index * 8)))));
  return `${kept.join(".")}/${bits}`;
}
