import type { MemberAddress, Stranger } from "../cluster/membership.js";
import { formatHostPort } from "../config/address.js";
import type { ClusterAddress, ClusterNode } from "./cluster-snapshot.js";

export function toAddress({ address, inUse, kind, rttMs, reason }: MemberAddress): ClusterAddress {
  return { address: formatHostPort(address), in_use: inUse, kind, rtt_ms: rttMs, reason };
}

/** Who was met and takes no part. Two nodes may have one id, so such a one is listed under its address. */
export function toRefused({ name, address, state, reason }: Stranger): ClusterNode {
  // One that called, and was not let in, may listen at any port.
  const text = address.port === 0 ? address.host : formatHostPort(address);
  const shown = state === "refused" ? "refused" : "gone";
  return { id: text, name, version: "", address: text, state: shown, reason, devices: [] };
}
