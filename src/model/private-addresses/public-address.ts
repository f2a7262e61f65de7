import ipaddr from "ipaddr.js";

/** Of the addresses of the Internet, all of which begin with these bits. */
const GLOBAL_UNICAST = ipaddr.IPv6.parse("2000::");
const GLOBAL_UNICAST_BITS = 3;
/** Where a network of IPv6 alone reaches those of IPv4: the last four bytes are such an address. */
const NAT64 = ipaddr.IPv6.parse("64:ff9b::");
const NAT64_BITS = 96;

/**
 * Whether an address is one of the Internet, and not of this machine, a local network, a carrier's inside or anything else
 * that is set apart. What is no address is not.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.process(text);
  if (address instanceof ipaddr.IPv4) return address.range() === "unicast";
  if (address.match(NAT64, NAT64_BITS)) {
    return ipaddr.fromByteArray(address.toByteArray().slice(-4)).range() === "unicast";
  }
  return address.match(GLOBAL_UNICAST, GLOBAL_UNICAST_BITS) && address.range() === "unicast";
}
