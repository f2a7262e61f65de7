import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { ExoError } from "../../core/errors.js";
import type { Role } from "../../transport/peer-certificate.js";
import type { AuthorityRecord } from "../../transport/trust-service.js";
import { newest } from "./authorities.js";
import { type CertificateRequest, issue, type Key, keyFingerprint, readKey, type Signer } from "./certificates.js";

const DAY_MS = 86_400_000;
/** Of a node's certificate; it is replaced when half of that is over, so a node may be away for half a year. */
const NODE_DAYS = 365;
/** A clock that is a little behind still finds a new certificate valid. */
export const BACKDATED_MS = 3_600_000;

const KEY_PEM = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----\n?/g;

/** @param keys PEM, one or several: after a rotation the former one stays until it counts no more */
export async function signerOf(authorities: readonly AuthorityRecord[], keys: string | null): Promise<Signer | null> {
  const current = newest(authorities);
  if (current === null || keys === null) return null;
  const wanted = keyFingerprint(current.certificate);
  const pem = keys.match(KEY_PEM)?.find((one) => fingerprintOf(one) === wanted);
  return pem === undefined ? null : { certificate: current.certificate, key: await readKey(pem) };
}

function fingerprintOf(keyPem: string): string {
  return createHash("sha256")
    .update(createPublicKey(keyPem).export({ format: "der", type: "spki" }))
    .digest("hex");
}

export interface IssueRequest extends Pick<CertificateRequest, "publicKey"> {
  readonly id: string;
  readonly role: Role;
}

/** A node's certificate, from now on. */
export function issueNow(signer: Signer, cluster: string, request: IssueRequest, now: number): Promise<string> {
  const validity = { from: now - BACKDATED_MS, until: now + NODE_DAYS * DAY_MS };
  return issue(signer, { cluster, ...request, validity });
}

/** What a node with this role is given of the authority. */
export function keyFor(role: Role, { key }: Signer): string {
  return role === "admin" ? key.pem : "";
}

/** Checks what an admin issued for this key before it is used. */
export function requireIssued(certificate: string, key: Key, authorities: readonly AuthorityRecord[]): void {
  const own = new X509Certificate(certificate);
  const isForKey = own.publicKey.equals(createPublicKey(key.pem));
  const isSigned = authorities.some(({ certificate: pem }) => own.verify(new X509Certificate(pem).publicKey));
  if (isForKey && isSigned) return;
  throw new ExoError(
    "unauthorized",
    "The certificate that came is not for this node's key, or not from the cluster's authority.",
  );
}
