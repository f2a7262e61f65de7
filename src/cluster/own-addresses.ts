import { isIPv6 } from "node:net";
import { formatHostPort, type HostPort } from "../config/address.js";
import { LINK_KINDS, type LinkKind } from "../discovery/interface-kind.js";
import type { LocalAddress } from "../discovery/interfaces.js";
import { isLinkLocal } from "../discovery/subnets.js";
import { isLoopback } from "../transport/loopback.js";
import { MAX_ADDRESSES } from "./addresses.js";

interface OwnInterface {
  readonly kind: LinkKind;
  readonly addresses: readonly Pick<LocalAddress, "address" | "family">[];
}

const ANY_V4 = "0.0.0.0";
const ANY_V6 = "::";

/**
 * Where a server that listens on `listen` can be reached: there, or at every address of its own when that is "any".
 * Addresses that only mean something on one link (`fe80::…`) are left out: every machine there names the link in its
 * own way. Best first.
 */
export function ownAddresses({ host, port }: HostPort, interfaces: readonly OwnInterface[]): readonly string[] {
  if (port === 0) return [];
  if (host !== ANY_V4 && host !== ANY_V6) return [formatHostPort({ host, port })];
  const hosts = interfaces
    .toSorted((a, b) => LINK_KINDS.indexOf(a.kind) - LINK_KINDS.indexOf(b.kind))
    .flatMap(({ addresses }) => addresses.toSorted((a, b) => a.family - b.family))
    .map(({ address }) => address)
    .filter((address) => host === ANY_V6 || !isIPv6(address));
  const outside = hosts.filter((address) => !isLoopback(address));
  const usable = outside.length > 0 ? outside.filter((address) => !isLinkLocal(address)) : ["127.0.0.1"];
  return usable
    .toSorted((a, b) => Number(isSelfGiven(a)) - Number(isSelfGiven(b)))
    .slice(0, MAX_ADDRESSES)
    .map((address) => formatHostPort({ host: address, port }));
}

/** A cable between two machines gives itself 169.254.…, where anything else is better. */
function isSelfGiven(address: string): boolean {
  return address.startsWith("169.254.");
}
