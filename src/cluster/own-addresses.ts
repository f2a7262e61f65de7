import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { formatHostPort, type HostPort } from "../config/address.js";
import { isLoopback } from "../transport/loopback.js";
import { MAX_ADDRESSES } from "./addresses.js";
import { type PathKind, rankOfKind } from "./membership/path-kind.js";

/** A network interface of this machine, as far as it matters here. */
export interface OwnInterface {
  readonly kind: PathKind | null;
  readonly addresses: readonly { readonly address: string; readonly family: 4 | 6 }[];
}

function ownInterfaces(): readonly OwnInterface[] {
  return Object.values(networkInterfaces()).map((addresses) => ({
    kind: null,
    addresses: (addresses ?? []).map(({ address, family }) => ({ address, family: family === "IPv6" ? 6 : 4 })),
  }));
}

const ANY_V4 = "0.0.0.0";
const ANY_V6 = "::";

/**
 * Where a server that listens on `listen` can be reached: there, or at every address of its own when that is "any".
 * Addresses that only mean something on one link (`fe80::…`) are left out: every machine there names the link in its
 * own way. Best first.
 */
export function ownAddresses(
  { host, port }: HostPort,
  interfaces: readonly OwnInterface[] = ownInterfaces(),
): readonly string[] {
  if (port === 0) return [];
  if (host !== ANY_V4 && host !== ANY_V6) return [formatHostPort({ host, port })];
  const hosts = interfaces
    .toSorted((a, b) => rankOfKind(a.kind) - rankOfKind(b.kind))
    .flatMap(({ addresses }) => addresses.toSorted((a, b) => a.family - b.family))
    .map(({ address }) => address)
    .filter((address) => (host === ANY_V6 || !isIPv6(address)) && !/^fe[89ab]/i.test(address));
  const outside = hosts.filter((address) => !isLoopback(address));
  // A cable between two machines gives itself 169.254.…, where anything else is better.
  const sorted = outside.toSorted((a, b) => Number(isSelfGiven(a)) - Number(isSelfGiven(b)));
  return (sorted.length > 0 ? sorted : ["127.0.0.1"])
    .slice(0, MAX_ADDRESSES)
    .map((address) => formatHostPort({ host: address, port }));
}

function isSelfGiven(address: string): boolean {
  return address.startsWith("169.254.");
}
