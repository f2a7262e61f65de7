import { X509Certificate } from "node:crypto";
import type { PeerCertificate } from "node:tls";
import { z } from "zod";

/** What a node may do in its cluster: an admin holds the authority's key, so it can invite and revoke. */
export const ROLES = ["admin", "member"] as const;
export type Role = (typeof ROLES)[number];

/** Hexadecimal digits of a node's id in a cluster with a secret: 128 bits of the SHA-256 of its first public key. */
export const CERTIFIED_ID = /^[0-9a-f]{32}$/;

/** Whom a certificate is for. */
export interface CertifiedNode {
  readonly id: string;
  readonly role: Role;
  /** SHA-256 of the certificate, hexadecimal. */
  readonly fingerprint: string;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const subjectSchema = z.object({ CN: z.string().regex(CERTIFIED_ID), OU: z.enum(ROLES) });

/** `null`: it is no certificate of a node; who signed it is not looked at here. */
export function certifiedNode({
  subject,
  fingerprint256,
  valid_from,
  valid_to,
}: PeerCertificate): CertifiedNode | null {
  const named = subjectSchema.safeParse(subject);
  if (!named.success) return null;
  return {
    id: named.data.CN,
    role: named.data.OU,
    fingerprint: fingerprint256.replaceAll(":", "").toLowerCase(),
    notBefore: Date.parse(valid_from),
    notAfter: Date.parse(valid_to),
  };
}

/** The same for a certificate in PEM; throws what is no certificate at all. */
export function certifiedNodeOf(pem: string): CertifiedNode | null {
  // The older form of a certificate is what a connection gives, so that both are read by the same lines.
  return certifiedNode(new X509Certificate(pem).toLegacyObject());
}

/** Several nodes of one machine share its certificate; the id of each is the certificate's, with a suffix. */
export function isCertifiedFor(certifiedId: string, nodeId: string): boolean {
  return nodeId === certifiedId || nodeId.startsWith(`${certifiedId}.`);
}
