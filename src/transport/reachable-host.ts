import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

const ANY_HOST: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]"]);

/** Every interface, for IPv4 and, where the machine has it, IPv6. */
export function anyHost(interfaces: Interfaces = networkInterfaces()): string {
  return addressesOf(interfaces).some(({ family }) => family === "IPv6") ? "::" : "0.0.0.0";
}

/** A host under which others may reach a server that listens on `host`: an outside address, when it is "any". */
export function reachableHost(host: string, interfaces: Interfaces = networkInterfaces()): string {
  if (!ANY_HOST.has(host)) return host;
  return outsideHosts(interfaces)[0] ?? "127.0.0.1";
}

/**
 * Addresses by which other machines may reach this one: IPv4, then IPv6, then those that a direct cable gives itself.
 * IPv6 addresses of one link are left out: each machine there names the link in its own way.
 */
export function outsideHosts(interfaces: Interfaces = networkInterfaces()): readonly string[] {
  const outside = addressesOf(interfaces).filter(({ internal }) => !internal);
  const v4 = outside.filter(({ family }) => family === "IPv4").map(({ address }) => address);
  const v6 = outside.filter(({ family }) => family === "IPv6").map(({ address }) => address);
  const ofOneLink = (address: string): boolean => address.startsWith("169.254.");
  return [
    ...v4.filter((address) => !ofOneLink(address)),
    ...v6.filter((address) => !/^fe[89ab]/i.test(address)),
    ...v4.filter(ofOneLink),
  ];
}

function addressesOf(interfaces: Interfaces): readonly NetworkInterfaceInfo[] {
  return Object.values(interfaces).flatMap((addresses) => addresses ?? []);
}
