/** What kind of way out a network interface is. */
export type LinkKind = "loopback" | "thunderbolt" | "wired" | "wifi" | "virtual" | "tunnel";

/** From the one to try first to the one to try last. What is measured goes before it. */
export const LINK_KINDS: readonly LinkKind[] = ["loopback", "thunderbolt", "wired", "wifi", "virtual", "tunnel"];

/** What the system tells of an interface beside its name. */
export interface InterfaceFacts {
  /** Of the system, e.g. `Wi-Fi` or `Thunderbolt Bridge` (macOS); `null` where it tells none. */
  readonly port: string | null;
  /** Entries below `/sys/class/net/<name>` that are there (Linux): `wireless`, `phy80211`, `tun_flags`. */
  readonly entries: ReadonlySet<string>;
  /** Name of the kernel module that drives it (Linux), or `null`. */
  readonly driver: string | null;
}

type Test = (name: string, facts: InterfaceFacts) => boolean;

/** The first that holds counts; an interface of which nothing is known is taken for wired. */
const TESTS: readonly (readonly [LinkKind, Test])[] = [
  ["thunderbolt", (name, { driver }) => /^thunderbolt/.test(driver ?? "") || /^thunderbolt\d/.test(name)],
  ["thunderbolt", (_, { port }) => /^Thunderbolt (?:Bridge|\d+)$/.test(port ?? "")],
  ["wifi", (_, { entries, port }) => entries.has("wireless") || entries.has("phy80211") || port === "Wi-Fi"],
  ["wifi", (name) => /^(?:wl|wifi|ath\d|wi-fi|wlan)/i.test(name)],
  [
    "tunnel",
    (name, { entries }) => entries.has("tun_flags") || /^(?:u?tun|tap|wg|ppp|tailscale|zt|ipsec|gif|stf)/i.test(name),
  ],
  // Bridges and cables between containers, virtual machines, and Apple's links between devices.
  ["virtual", (name) => /^(?:docker|br-|virbr|veth|cni|flannel|cali|lxc|lxd|podman|vmnet|vboxnet|vnet)/.test(name)],
  ["virtual", (name) => /^(?:awdl|llw|anpi|bridge1\d\d|ap\d)/.test(name) || /^vEthernet /.test(name)],
];

export function interfaceKind(name: string, internal: boolean, facts: InterfaceFacts): LinkKind {
  if (internal) return "loopback";
  return TESTS.find(([, holds]) => holds(name, facts))?.[0] ?? "wired";
}

/** From what `networksetup -listallhardwareports` prints (macOS): the port of each interface. */
export function parseHardwarePorts(text: string): ReadonlyMap<string, string> {
  const pairs = text.matchAll(/^Hardware Port: (.+)\r?\nDevice: (\S+)/gm);
  return new Map([...pairs].map(([, port = "", device = ""]) => [device, port.trim()]));
}
