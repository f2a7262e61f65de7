import { z } from "zod";
import { formatHostPort, type HostPort, parseHostPort } from "../config/address.js";

/** Of one node. More interfaces than that are not worth trying. */
export const MAX_ADDRESSES = 32;

export const addressField = z
  .string()
  .max(300)
  .refine((text) => parseHostPort(text, 0) !== null, "an address is host:port, IPv6 in brackets");

/** Where a node can be reached, as far as it knows: `host:port`, best first. */
export const addressesField = z.array(addressField).max(MAX_ADDRESSES);

/** `null` for what is no address with a port. */
export function toHostPort(text: string): HostPort | null {
  return parseHostPort(text, 0);
}

/** One text for one address, however it was written. */
export function addressKey(address: HostPort): string {
  return formatHostPort(address).toLowerCase();
}
