import type { Member } from "../cluster/membership.js";
import { formatHostPort } from "../config/address.js";
import type { DiscoveredPeer, SourceReport } from "../discovery/discovery.js";
import type { ClusterNode } from "./cluster-snapshot.js";

/**
 * Who is listed beside the members: somebody answers, or was said to be there, and takes no part. Other addresses of
 * members and of this node are none of these, and neither are machines that never were nodes. Each node comes once.
 */
export function strangersAmong(
  seen: readonly DiscoveredPeer[],
  ownId: string,
  members: readonly Pick<Member, "id" | "address">[],
): readonly DiscoveredPeer[] {
  const addresses = new Set(members.map((member) => formatHostPort(member.address)));
  const ids = new Set(members.map((member) => member.id));
  const strangers = seen.filter(({ state, address, identity, source }) => {
    if (state === "reachable" || state === "self" || addresses.has(formatHostPort(address))) return false;
    if (identity === null) return source !== "tailscale" || state === "unused";
    return !ids.has(identity.nodeId);
  });
  // An address that answered says more than one that did not.
  const sorted = [...strangers].sort((a, b) => Number(b.state === "unused") - Number(a.state === "unused"));
  const known = new Set<string>();
  return sorted.flatMap((peer) => {
    // A copy of this node has its id.
    const id = peer.identity === null || peer.identity.nodeId === ownId ? null : peer.identity.nodeId;
    if (id !== null && known.has(id)) return [];
    if (id !== null) known.add(id);
    return [{ ...peer, identity: id === null ? null : peer.identity }];
  });
}

/** An address where somebody is, or may be, who takes no part. */
export function toStranger(peer: DiscoveredPeer): ClusterNode {
  const address = formatHostPort(peer.address);
  return {
    id: peer.identity?.nodeId ?? address,
    name: peer.identity?.name ?? address,
    version: "",
    address,
    state: peer.state === "unused" ? "refused" : "gone",
    reason: peer.reason ?? "It has not answered yet.",
    source: peer.source,
    devices: [],
  };
}

/** How nodes are looked for, and every address that was found, used or not. */
export function toDiscovery(sources: readonly SourceReport[], seen: readonly DiscoveredPeer[]) {
  return { sources: sources.map(({ kind, state, detail }) => ({ kind, state, detail })), peers: seen.map(toFound) };
}

function toFound({ address, source, state, reason, identity, via }: DiscoveredPeer) {
  return {
    address: formatHostPort(address),
    source,
    state,
    reason,
    node_id: identity?.nodeId ?? null,
    name: identity?.name ?? null,
    interface: via?.interface ?? null,
    link: via?.kind ?? null,
  };
}
