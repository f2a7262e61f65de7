import { basename } from "node:path";
import {
  type InterfaceFacts,
  interfaceKind,
  type LinkKind,
  parseHardwarePorts,
} from "../../discovery/interface-kind.js";
import type { DoctorSystem } from "./system.js";

/** A network interface that leads out of the machine. */
export interface FoundInterface {
  readonly name: string;
  readonly kind: LinkKind;
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
    const facts = { ...(await kernelFacts(system, name)), port: ports.get(name) ?? null };
    return { name, kind: interfaceKind(name, false, facts), addresses, megabits: await linkSpeed(system, name) };
  });
  return (await Promise.all(found)).filter((one) => one !== null);
}

async function kernelFacts(system: DoctorSystem, name: string): Promise<Omit<InterfaceFacts, "port">> {
  if (system.platform !== "linux") return { entries: new Set(), driver: null };
  const at = `/sys/class/net/${name}`;
  const [entries, driver] = await Promise.all([system.list(at), system.readLink(`${at}/device/driver`)]);
  return { entries: new Set(entries), driver: driver === null ? null : basename(driver) };
}

async function hardwarePorts(system: DoctorSystem): Promise<ReadonlyMap<string, string>> {
  return parseHardwarePorts((await system.run("networksetup", ["-listallhardwareports"]))?.stdout ?? "");
}

async function linkSpeed(system: DoctorSystem, name: string): Promise<number | null> {
  if (system.platform !== "linux") return null;
  const megabits = Number(await system.readText(`/sys/class/net/${name}/speed`));
  return megabits > 0 ? megabits : null;
}
