import { X509Certificate } from "node:crypto";
import { ExoError } from "../../core/errors.js";
import { CERTIFIED_ID, type CertifiedNode, certifiedNodeOf } from "../../transport/peer-certificate.js";
import { createAuthority, createKey, crossSign, readKey, type Signer } from "./certificates.js";
import { AUTHORITY_MS } from "./found-cluster.js";
import { plainName, readMembers } from "./known-members.js";
import { signRevocation } from "./revocations.js";
import { BACKDATED_MS, issueNow, signerOf } from "./signer.js";
import type { TrustFiles, TrustStore } from "./trust-store.js";

/** A node of the cluster, as a command names it. */
export interface NamedMember {
  readonly id: string;
  readonly name: string;
  readonly role: "admin" | "member" | null;
}

/** Puts a node out of the cluster. Running nodes hear of it within seconds, and pass it on. */
export async function revoke(store: TrustStore, node: string, now: number): Promise<NamedMember> {
  const files = await requireCluster(store);
  const signer = await requireSigner(files);
  const target = await memberNamed(store, node);
  if (target.id === ownOf(files)?.id) {
    throw new ExoError("invalid_argument", "That is this machine itself: exo-native cluster leave");
  }
  if (files.facts.revocations.some(({ nodeId }) => nodeId === target.id)) return target;
  const { id: nodeId } = target;
  const facts = { nodeId, name: plainName(target.name, nodeId), atMs: now, reason: "revoked" } as const;
  const revocation = signRevocation(facts, signer.key.pem);
  await store.change((kept) => ({ ...kept, revocations: [...kept.revocations, revocation] }));
  return target;
}

/** By name, id, or the beginning of an id. */
async function memberNamed(store: TrustStore, text: string): Promise<NamedMember> {
  const members = await readMembers(store);
  const exact = members.filter(({ id, name }) => id === text || name === text);
  const found = exact.length > 0 ? exact : members.filter(({ id }) => text.length >= 4 && id.startsWith(text));
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  if (first !== undefined) {
    const list = found.map(({ id, name }) => `${name} ${id}`).join(", ");
    throw new ExoError("invalid_argument", `Several nodes are meant by "${text}"; give the id of one: ${list}.`);
  }
  if (CERTIFIED_ID.test(text)) return { id: text, name: text.slice(0, 8), role: null };
  throw new ExoError(
    "invalid_argument",
    `This machine never met a node "${text}" of the cluster. exo-native cluster members lists those that it did; a whole id is taken, too.`,
  );
}

export interface Rotation {
  /** Until when the former authority counts: milliseconds since the Unix epoch. */
  readonly until: number;
}

/**
 * A new authority, which the one before signs. Nodes that run get certificates by the new one at once; a node that does
 * not come back before the former one ends needs a new token.
 */
export async function rotateAuthority(store: TrustStore, overlapMs: number, now: number): Promise<Rotation> {
  const files = await requireCluster(store);
  const signer = await requireSigner(files);
  const own = ownOf(files);
  if (own === null) throw new ExoError("internal", "This node's certificate is not one of a node.");
  const { name } = files.facts;
  const key = await createKey();
  // Later than the one before, which may have been made in the same second.
  const from = Math.max(now - BACKDATED_MS, Date.parse(new X509Certificate(signer.certificate).validFrom) + 1000);
  const certificate = await createAuthority(name, key, { from, until: now + AUTHORITY_MS });
  const crossCertificate = await crossSign(name, key, signer, { from, until: now + overlapMs });
  await store.locked(() => store.replaceAuthorityKey(key.pem + (files.authorityKey ?? "")));
  await store.change((kept) => ({ ...kept, authorities: [...kept.authorities, { certificate, crossCertificate }] }));
  await reissue(store, files, { certificate, key }, own, now);
  return { until: Date.parse(new X509Certificate(crossCertificate).validTo) };
}

/** This machine's own certificate, by the new authority. */
async function reissue(
  store: TrustStore,
  files: TrustFiles,
  signer: Signer,
  own: CertifiedNode,
  now: number,
): Promise<void> {
  const { publicKey } = (await readKey(files.node.key)).pair;
  const { id, role } = own;
  const certificate = await issueNow(signer, files.facts.name, { id, role, publicKey }, now);
  await store.locked(() => store.replaceNode({ key: files.node.key, certificate }));
}

export async function requireCluster(store: TrustStore): Promise<TrustFiles> {
  const files = await store.read();
  if (files !== null) return files;
  throw new ExoError(
    "invalid_argument",
    "This machine is in no cluster with a secret: exo-native cluster init makes one, exo-native cluster join TOKEN joins one.",
  );
}

export async function requireSigner({ facts, authorityKey }: TrustFiles): Promise<Signer> {
  const signer = await signerOf(facts.authorities, authorityKey);
  if (signer !== null) return signer;
  throw new ExoError(
    "unauthorized",
    "This machine is no admin of the cluster, so it cannot do that. exo-native cluster members tells which machines are.",
  );
}

export function ownOf({ node }: TrustFiles): CertifiedNode | null {
  return certifiedNodeOf(node.certificate);
}
