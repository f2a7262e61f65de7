import { X509Certificate } from "node:crypto";
import type { AuthorityRecord } from "../../transport/trust-service.js";
import { keyFingerprint } from "./certificates.js";

/** Rotations are rare; more than these are somebody's mistake. */
export const MOST_AUTHORITIES = 16;

/**
 * The authorities whose certificates count at a time: each until the certificate ends by which it signed its successor.
 * The newest comes last.
 */
export function trustedAt(authorities: readonly AuthorityRecord[], now: number): readonly AuthorityRecord[] {
  return authorities.filter((authority) => now < retiresAt(authority, authorities)).toSorted(byAge);
}

/** Milliseconds since the Unix epoch. */
export function retiresAt({ certificate }: AuthorityRecord, all: readonly AuthorityRecord[]): number {
  const own = new X509Certificate(certificate);
  const successors = all.flatMap(({ crossCertificate }) => {
    const cross = crossCertificate === "" ? null : new X509Certificate(crossCertificate);
    return cross?.checkIssued(own) && cross.verify(own.publicKey) ? [Date.parse(cross.validTo)] : [];
  });
  return Math.min(Date.parse(own.validTo), ...successors);
}

/** The one that signs new certificates; there is always one. */
export function newest(authorities: readonly AuthorityRecord[]): AuthorityRecord | null {
  return authorities.toSorted(byAge).at(-1) ?? null;
}

/**
 * What is known together with what somebody else knows. A new authority counts only when one that is trusted now has
 * signed it, whoever tells of it.
 */
export function mergeAuthorities(
  known: readonly AuthorityRecord[],
  offered: readonly AuthorityRecord[],
  now: number,
): readonly AuthorityRecord[] {
  let all = known;
  // In any order: one that is accepted may vouch for the next.
  for (let accepted = true; accepted; ) {
    const fresh = offered.find((one) => isNew(one, all) && isVouchedFor(one, trustedAt(all, now), now));
    accepted = fresh !== undefined && all.length < MOST_AUTHORITIES;
    if (fresh !== undefined && accepted) all = [...all, fresh];
  }
  return all;
}

/** By its key: one certificate can be written in many ways. */
export function isNew({ certificate }: AuthorityRecord, known: readonly AuthorityRecord[]): boolean {
  try {
    const key = keyFingerprint(certificate);
    return !known.some((one) => keyFingerprint(one.certificate) === key);
  } catch {
    return false;
  }
}

function isVouchedFor(offered: AuthorityRecord, trusted: readonly AuthorityRecord[], now: number): boolean {
  try {
    const own = new X509Certificate(offered.certificate);
    const cross = new X509Certificate(offered.crossCertificate);
    const sameKey = own.publicKey.equals(cross.publicKey) && own.subject === cross.subject;
    if (!sameKey || !own.ca || !cross.ca || !own.verify(own.publicKey) || Date.parse(cross.validTo) <= now)
      return false;
    return trusted.some(({ certificate }) => {
      const before = new X509Certificate(certificate);
      return cross.checkIssued(before) && cross.verify(before.publicKey);
    });
  } catch {
    return false;
  }
}

function byAge(a: AuthorityRecord, b: AuthorityRecord): number {
  const [first, second] = [a, b].map(({ certificate }) => Date.parse(new X509Certificate(certificate).validFrom));
  return (first ?? 0) - (second ?? 0) || (a.certificate < b.certificate ? -1 : 1);
}
