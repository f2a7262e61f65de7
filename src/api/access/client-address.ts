import { isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/** Bytes of an IPv6 address that a provider gives one customer: below them he can have as many addresses as he likes. */
const NETWORK_BYTES = 8;

/** By what requests without a key count as one client's. */
export function clientAddress(remote: string | undefined): string {
  if (remote === undefined) return "";
  const plain = remote.replace(/%.*$/, "");
  if (!isIPv6(plain)) return plain;
  const address = ipaddr.process(plain);
  if (address.kind() === "ipv4") return address.toString();
  return Buffer.from(address.toByteArray().slice(0, NETWORK_BYTES)).toString("hex");
}
