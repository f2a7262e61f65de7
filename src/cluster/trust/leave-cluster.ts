import { formatHostPort, type HostPort } from "../../config/address.js";
import { ExoError } from "../../core/errors.js";
import { ClusterCredentials } from "../../transport/cluster-credentials.js";
import { TrustClient } from "../../transport/trust-client.js";
import { ownOf, requireCluster } from "./change-cluster.js";
import { ClusterTrust } from "./cluster-trust.js";
import { readMembers } from "./known-members.js";
import { signRevocation } from "./revocations.js";
import type { TrustStore } from "./trust-store.js";

export interface Left {
  readonly cluster: string;
  /** The others know that this machine's certificate counts no more. */
  readonly told: boolean;
}

/** Others that are in the cluster, when this machine is its only admin: nobody could admit or revoke without it. */
export async function leftWithoutAdmin(store: TrustStore): Promise<readonly string[]> {
  const files = await requireCluster(store);
  const own = ownOf(files);
  if (files.authorityKey === null) return [];
  const out = new Set(files.facts.revocations.map(({ nodeId }) => nodeId));
  const others = (await readMembers(store)).filter(({ id }) => id !== own?.id && !out.has(id));
  return others.some(({ role }) => role === "admin") ? [] : others.map(({ name }) => name);
}

/** Says goodbye to those who can be reached, and removes this machine's keys. */
export async function leaveCluster(configDir: string, addresses: readonly HostPort[]): Promise<Left> {
  const trust = await ClusterTrust.open(configDir);
  if (trust === null) throw new ExoError("invalid_argument", "This machine is in no cluster with a secret.");
  const told = await sayGoodbye(trust, addresses);
  await trust.store.remove();
  return { cluster: trust.cluster, told };
}

async function sayGoodbye(trust: ClusterTrust, addresses: readonly HostPort[]): Promise<boolean> {
  const credentials = new ClusterCredentials(trust);
  const once = [...new Map(addresses.map((address) => [formatHostPort(address), address])).values()];
  const told = await Promise.all(once.map((address) => tell(trust, credentials, address).catch(() => false)));
  return told.includes(true);
}

/** An admin revokes itself, and anybody can pass that on; a member asks an admin to. */
async function tell(trust: ClusterTrust, credentials: ClusterCredentials, peer: HostPort): Promise<boolean> {
  const client = new TrustClient({ peer, nodeId: null, credentials, callerId: trust.id });
  try {
    const signer = await trust.signer();
    if (signer === null) return await client.leave();
    const facts = { nodeId: trust.id, name: trust.id.slice(0, 8), atMs: trust.clock.wall(), reason: "left" } as const;
    const { authorities, revocations } = trust.state();
    const own = signRevocation(facts, signer.key.pem);
    await client.exchange({ authorities, revocations: [...revocations, own] });
    return true;
  } finally {
    client.close();
  }
}
