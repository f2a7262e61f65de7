import { sign, verify, X509Certificate } from "node:crypto";
import type { AuthorityRecord, RevocationRecord } from "../../transport/trust-service.js";

/** More than a cluster of machines that people own will ever need. */
export const MOST_REVOCATIONS = 4096;
/** Whose signatures are checked of one message; the others come with the next. */
const MOST_NEW = 256;

type RevocationFacts = Omit<RevocationRecord, "signature">;

/** @param keyPem of the authority */
export function signRevocation(facts: RevocationFacts, keyPem: string): RevocationRecord {
  return { ...facts, signature: sign("sha256", signedBytes(facts), keyPem).toString("base64") };
}

/**
 * Two sets of revocations as one. Nothing is ever taken out, so it does not matter in which order, how often and over whom
 * they come. One that no authority of the cluster has signed, present or past, is left out.
 */
export function mergeRevocations(
  known: readonly RevocationRecord[],
  offered: readonly RevocationRecord[],
  authorities: readonly AuthorityRecord[],
): readonly RevocationRecord[] {
  const all = new Map(known.map((one) => [one.nodeId, one]));
  const fresh = offered.filter(({ nodeId }) => !all.has(nodeId)).slice(0, MOST_NEW);
  for (const one of fresh) {
    if (all.size < MOST_REVOCATIONS && isSigned(one, authorities)) all.set(one.nodeId, one);
  }
  return all.size === known.length ? known : [...all.values()];
}

function isSigned(revocation: RevocationRecord, authorities: readonly AuthorityRecord[]): boolean {
  const bytes = signedBytes(revocation);
  const signature = Buffer.from(revocation.signature, "base64");
  return authorities.some(({ certificate }) =>
    verify("sha256", bytes, new X509Certificate(certificate).publicKey, signature),
  );
}

function signedBytes({ nodeId, name, atMs, reason }: RevocationFacts): Buffer {
  return Buffer.from(JSON.stringify(["exo-native revocation 1", nodeId, name, atMs, reason]));
}

/** For the node itself and for everybody else. */
export function revokedSentence({ name, atMs, reason }: RevocationRecord): string {
  const when = new Date(atMs).toISOString().slice(0, 16).replace("T", " ");
  if (reason === "left") return `${name} left the cluster (${when} UTC); it can come back with a new token.`;
  return `${name} was revoked by an admin of the cluster (${when} UTC); it can come back only with a new token.`;
}
