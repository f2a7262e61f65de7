import type { NodeRecord, RingRecord } from "./node-record.js";

/** What the nodes must agree on of a ring: that of one model there is one, not one for each node that was asked. */
export interface RingProposal
  extends Pick<RingRecord, "id" | "epoch" | "spec" | "replica" | "state" | "draining" | "gaveUp"> {
  /** Node id. */
  readonly head: string;
  /** Node id of who planned it and asked the head; the head itself where nobody else did. */
  readonly proposedBy: string;
}

/** The further a ring is on its way, the more would be lost without it. */
const RANK: Readonly<Record<RingRecord["state"], number>> = { ready: 0, loading: 1, waiting: 2, failed: 3 };

export function proposalsOf(records: readonly Pick<NodeRecord, "id" | "rings">[]): readonly RingProposal[] {
  return records.flatMap(({ id, rings }) => rings.map((ring) => ({ ...ring, head: id })));
}

/** Whether of the two only one is needed. */
export function sameRing(
  a: Pick<RingProposal, "spec" | "replica">,
  b: Pick<RingProposal, "spec" | "replica">,
): boolean {
  return a.spec === b.spec && a.replica === b.replica;
}

/**
 * Of all proposals of one ring the one that stays; the others stand down. Every node that sees the same proposals finds
 * the same one, in whatever order they are listed, so no master has to say it: the one that is furthest on its way, then
 * the one whose head has the lowest id. `null` when none is left that could serve.
 *
 * Nodes that see different things may disagree for a while. As a proposal only moves forward on its way, the one that
 * really is the best never stands down, so agreement costs loading something twice at worst.
 */
export function winnerOf(proposals: readonly RingProposal[]): RingProposal | null {
  const able = proposals.filter((proposal) => !proposal.gaveUp && !proposal.draining);
  const kept = able.filter((proposal) => !isHandedOver(proposal, able));
  // Two that handed over to each other count both.
  const [winner] = (kept.length > 0 ? kept : able).toSorted(compareProposals);
  return winner ?? null;
}

/** Who proposed a ring for another head is out of the way as soon as that head has taken it. */
function isHandedOver(proposal: RingProposal, all: readonly RingProposal[]): boolean {
  if (proposal.state === "ready") return false;
  return all.some((other) => other.proposedBy === proposal.head && other.head !== proposal.head);
}

function compareProposals(a: RingProposal, b: RingProposal): number {
  return rankOf(a) - rankOf(b) || compare(a.head, b.head) || compare(a.id, b.id);
}

function rankOf({ state, epoch, head, proposedBy }: RingProposal): number {
  // What was handed over had won already.
  if (head !== proposedBy) return Math.min(RANK[state], RANK.loading);
  // Reading about a model is no more than waiting for it.
  return state === "loading" && epoch === 0 ? RANK.waiting : RANK[state];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
