import { createAuthority, createKey, idOf, keyFingerprint, publicDer } from "./certificates.js";
import { BACKDATED_MS, issueNow } from "./signer.js";
import type { TrustStore } from "./trust-store.js";

const YEAR_MS = 365 * 86_400_000;
/** Of an authority's certificate. */
export const AUTHORITY_MS = 10 * YEAR_MS;

export interface FoundedCluster {
  readonly name: string;
  /** SHA-256 of its authority's public key, hexadecimal. */
  readonly id: string;
  /** Of this machine, in the cluster. */
  readonly nodeId: string;
}

/** A new cluster with a secret, of which this machine is the first member and an admin. */
export async function foundCluster(store: TrustStore, name: string, now: number): Promise<FoundedCluster> {
  const authority = await createKey();
  const certificate = await createAuthority(name, authority, { from: now - BACKDATED_MS, until: now + AUTHORITY_MS });
  const key = await createKey();
  const nodeId = idOf(await publicDer(key));
  const signer = { certificate, key: authority };
  const own = await issueNow(signer, name, { id: nodeId, role: "admin", publicKey: key.pair.publicKey }, now);
  const id = keyFingerprint(certificate);
  await store.create({
    facts: { name, id, peers: [], authorities: [{ certificate, crossCertificate: "" }], revocations: [] },
    node: { key: key.pem, certificate: own },
    authorityKey: authority.pem,
  });
  return { name, id, nodeId };
}
