import { z } from "zod";
import { NODE_NAME } from "../../config/node-name.js";
import { type CertifiedNode, isCertifiedFor, ROLES } from "../../transport/peer-certificate.js";
import type { ClusterTrust } from "./cluster-trust.js";
import { readPrivate, writePrivate } from "./private-file.js";
import { MEMBERS, type TrustStore } from "./trust-store.js";

const memberSchema = z.object({
  /** As in its certificate. */
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  /** SHA-256 of its certificate, hexadecimal. */
  fingerprint: z.string(),
  /** Milliseconds since the Unix epoch. */
  notAfter: z.number(),
  seenAt: z.number(),
});
export type KnownMember = z.infer<typeof memberSchema>;

const fileSchema = z.object({ version: z.literal(1), members: z.array(memberSchema) });

/** How often the time when a member was last seen is written. */
const SEEN_STEP_MS = 3_600_000;

/** The members that this machine's node met, for commands that run beside it. */
export async function readMembers(store: TrustStore): Promise<readonly KnownMember[]> {
  const text = await readPrivate(store.path(MEMBERS)).catch(() => null);
  if (text === null) return [];
  try {
    return fileSchema.parse(JSON.parse(text)).members;
  } catch {
    // It is made anew of whoever is met.
    return [];
  }
}

/** Writes down who was let in just now. */
export async function addMember(store: TrustStore, node: CertifiedNode, name: string, seenAt: number): Promise<void> {
  const others = (await readMembers(store)).filter(({ id }) => id !== node.id);
  await writePrivate(store.path(MEMBERS), fileText([...others, { ...entry(node), name, seenAt }]));
}

/** Writes down who is there now, when that is news. */
export async function keepMembers(
  trust: ClusterTrust,
  ownName: string,
  present: readonly { readonly id: string; readonly name: string }[],
): Promise<void> {
  const before = await readMembers(trust.store);
  const seenAt = Math.floor(trust.clock.wall() / SEEN_STEP_MS) * SEEN_STEP_MS;
  // Nodes of one machine share this file, each with a name of its own; the first one's stays.
  const name = before.find(({ id }) => id === trust.id)?.name ?? ownName;
  const own = { ...entry(trust.own), name, seenAt };
  const now = trust.known().flatMap((node): KnownMember[] => {
    const member = present.find(({ id }) => isCertifiedFor(node.id, id));
    return member === undefined ? [] : [{ ...entry(node), name: plainName(member.name, node.id), seenAt }];
  });
  const all = new Map([...before, ...now, own].map((one) => [one.id, one]));
  const after = [...all.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (JSON.stringify(after) === JSON.stringify(before)) return;
  await writePrivate(trust.store.path(MEMBERS), fileText(after)).catch(async (thrown: unknown) => {
    // This machine left the cluster meanwhile.
    if (await trust.store.exists()) throw thrown;
  });
}

/** What a node calls itself is shown on terminals and signed in revocations: one that is no name becomes part of its id. */
export function plainName(name: string, id: string): string {
  return NODE_NAME.test(name) ? name : id.slice(0, 8);
}

function entry({ id, role, fingerprint, notAfter }: CertifiedNode): Omit<KnownMember, "name" | "seenAt"> {
  return { id, role, fingerprint, notAfter };
}

function fileText(members: readonly KnownMember[]): string {
  return `${JSON.stringify({ version: 1, members }, null, 2)}\n`;
}
