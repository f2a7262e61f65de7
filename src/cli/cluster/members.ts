import { requireCluster } from "../../cluster/trust/change-cluster.js";
import { readMembers } from "../../cluster/trust/known-members.js";
import type { TrustStore } from "../../cluster/trust/trust-store.js";
import { certifiedNodeOf, isCertifiedFor } from "../../transport/peer-certificate.js";
import { inColumns } from "../terminal/columns.js";
import type { Paint } from "../terminal/paint.js";
import type { RunningNode } from "./own-node.js";

/** What `cluster members --json` prints. Times are ISO 8601, `null` where they are not known. */
export interface MembersDocument {
  readonly cluster: { readonly name: string; readonly id: string };
  readonly members: readonly {
    readonly id: string;
    readonly name: string;
    readonly role: string | null;
    /** `alive`, `suspect`, `gone` as the node that runs here sees it; `unknown`; `revoked` or `left`. */
    readonly state: string;
    readonly this_machine: boolean;
    /** SHA-256 of its certificate. */
    readonly fingerprint: string | null;
    readonly certificate_ends: string | null;
    readonly last_seen: string | null;
  }[];
}

/** Everybody that this machine met in its cluster, and everybody who is out of it. */
export async function membersDocument(store: TrustStore, node: RunningNode | null): Promise<MembersDocument> {
  const { facts, node: identity } = await requireCluster(store);
  const own = certifiedNodeOf(identity.certificate);
  const met = await readMembers(store);
  const out = new Map(facts.revocations.map((one) => [one.nodeId, one]));
  const self =
    own === null || met.some(({ id }) => id === own.id) ? [] : [{ ...own, name: "this machine", seenAt: null }];
  const known = [...self, ...met].map(({ id, name, role, fingerprint, notAfter, seenAt }) => ({
    id,
    name,
    role,
    state: out.get(id)?.reason ?? stateOf(id, node),
    this_machine: id === own?.id,
    fingerprint,
    certificate_ends: timeOf(notAfter),
    last_seen: seenAt === null ? null : timeOf(seenAt),
  }));
  const others = facts.revocations
    .filter(({ nodeId }) => !known.some(({ id }) => id === nodeId))
    .map(({ nodeId: id, name, reason }) => ({
      ...{ id, name, role: null, state: reason, this_machine: false },
      ...{ fingerprint: null, certificate_ends: null, last_seen: null },
    }));
  return { cluster: { name: facts.name, id: facts.id }, members: [...known, ...others] };
}

function stateOf(id: string, node: RunningNode | null): string {
  const states = node?.cluster.nodes.flatMap((one) => (isCertifiedFor(id, one.id) ? [one.state] : [])) ?? [];
  return states.includes("alive") ? "alive" : (states[0] ?? "unknown");
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

export function memberLines({ cluster, members }: MembersDocument, paint: Paint): readonly string[] {
  const rows = members.map(({ id, name, role, state, this_machine, certificate_ends }) => [
    this_machine ? `${name} (this machine)` : name,
    role ?? "",
    painted(state, paint),
    id,
    certificate_ends === null ? "" : paint("dim", `certificate until ${certificate_ends.slice(0, 10)}`),
  ]);
  const admins = members.filter(({ role, state }) => role === "admin" && state !== "revoked" && state !== "left");
  return [
    `${paint("bold", cluster.name)}  ${paint("dim", `authority ${cluster.id.slice(0, 16)}…`)}`,
    "",
    ...inColumns(rows),
    ...(admins.length === 1
      ? ["", "There is one admin. If it is lost, nobody can be let in or put out: exo-native cluster invite --admin"]
      : []),
  ];
}

function painted(state: string, paint: Paint): string {
  if (state === "alive") return paint("green", state);
  return state === "revoked" || state === "left" ? paint("red", state) : paint("yellow", state);
}
