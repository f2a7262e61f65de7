import type { DoctorSystem } from "./system.js";

export const INTERFACE_KINDS = ["thunderbolt", "ethernet", "wifi", "tunnel", "virtual", "other"] as const;
export type InterfaceKind = (typeof INTERFACE_KINDS)[number];

/** A network interface that leads out of the machine. */
export interface FoundInterface {
  readonly name: string;
  readonly kind: InterfaceKind;
  readonly addresses: readonly { readonly address: string; readonly family: "IPv4" | "IPv6" }[];
  /** Million bits per second; `null`: not told. */
  readonly megabits: number | null;
}

/** The interfaces with an address, but for loopback, in the order in which the system lists them. */
export async function findInterfaces(system: DoctorSystem): Promise<readonly FoundInterface[]> {
  const ports = system.platform === "darwin" ? await hardwarePorts(system) : new Map<string, string>();
  const found = Object.entries(system.interfaces()).map(async ([name, all]): Promise<FoundInterface | null> => {
    const addresses = (all ?? [])
      .filter(({ internal }) => !internal)
      .map(({ address, family }) => ({ address, family }));
    if (addresses.length === 0) return null;
    const kind = system.platform === "linux" ? await linuxKind(system, name) : kindByName(name, ports.get(name));
    return { name, kind, addresses, megabits: await linkSpeed(system, name) };
  });
  return (await Promise.all(found)).filter((one) => one !== null);
}

async function linuxKind(system: DoctorSystem, name: string): Promise<InterfaceKind> {
  const at = `/sys/class/net/${name}`;
  const [entries, driver] = await Promise.all([system.list(at), system.readLink(`${at}/device/driver`)]);
  if (entries.includes("wireless") || entries.includes("phy80211")) return "wifi";
  if (driver?.includes("thunderbolt") === true) return "thunderbolt";
  if (entries.includes("tun_flags") || TUNNEL.test(name)) return "tunnel";
  // By their names alone: bonds, VLANs, a host's bridge and a container's own end are virtual too, but ways out.
  return VIRTUAL.test(name) ? "virtual" : "ethernet";
}

const TUNNEL = /^(?:tailscale|wg|tun|tap|utun|ppp|zt|ipsec)/i;
const VIRTUAL = /^(?:docker|br-|veth|virbr|vmnet|vnic|vEthernet|bridge|cni|flannel|cali|lxc|podman|awdl|llw|anpi|ap\d)/;

/** @param port the name that macOS has for it in its settings */
function kindByName(name: string, port: string | undefined): InterfaceKind {
  if (port !== undefined) {
    // The bridge carries IP between Macs that are joined by Thunderbolt cables.
    if (/thunderbolt/i.test(port) && !/ethernet/i.test(port)) return "thunderbolt";
    if (/wi-?fi|airport/i.test(port)) return "wifi";
    if (/ethernet|lan\b/i.test(port)) return "ethernet";
  }
  if (TUNNEL.test(name)) return "tunnel";
  if (VIRTUAL.test(name)) return "virtual";
  if (/wi-?fi|wlan|wireless/i.test(name)) return "wifi";
  return /^(?:eth|en|local area)/i.test(name) ? "ethernet" : "other";
}

/** Blocks of `Hardware Port: Wi-Fi`, `Device: en0`, `Ethernet Address: …`. */
async function hardwarePorts(system: DoctorSystem): Promise<ReadonlyMap<string, string>> {
  const result = await system.run("networksetup", ["-listallhardwareports"]);
  const blocks = [...(result?.stdout ?? "").matchAll(/^Hardware Port: (.+)\nDevice: (\S+)$/gm)];
  return new Map(blocks.map(([, port = "", device = ""]) => [device, port]));
}

async function linkSpeed(system: DoctorSystem, name: string): Promise<number | null> {
  if (system.platform !== "linux") return null;
  const megabits = Number(await system.readText(`/sys/class/net/${name}/speed`));
  return megabits > 0 ? megabits : null;
}
