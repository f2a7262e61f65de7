import type { HostPort } from "../../config/address.js";
import { LINK_KINDS, type LinkKind } from "../../discovery/interface-kind.js";

/**
 * How this node came by an address, in the order of trust: discovery reached the peer there; the peer called from there;
 * another node reaches it there; the peer lists it among its own.
 */
export const ADDRESS_ORIGINS = ["found", "introduced", "relayed", "told"] as const;
export type AddressOrigin = (typeof ADDRESS_ORIGINS)[number];

/** What is known of one way to a peer. */
export interface Candidate {
  readonly address: HostPort;
  /** As text, by which it is known. */
  readonly key: string;
  readonly origin: AddressOrigin;
  /** Place in the list it came from. */
  readonly place: number;
  readonly kind: LinkKind | null;
  /** Of a small call, milliseconds; `null`: not measured, or not since it failed. */
  readonly rttMs: number | null;
  /** Why the last try failed, as a sentence; `null` when it did not. */
  readonly failure: string | null;
  /** Tries that failed since the last that did not. */
  readonly failures: number;
  /** Monotonic milliseconds before which it is not measured again. */
  readonly retryAt: number;
}

/**
 * Times that differ less than this say nothing about which way is better: a busy moment of either machine makes as much.
 * Wi-Fi is several times slower than a cable.
 */
const SAME = { factor: 1.5, ms: 0.3 };
/** The way in use is only given up for one that is faster beyond doubt, or as fast and of a better kind. */
const KEEP = { factor: 2, ms: 1 };

/** All candidates, the one to use first: by measured time, among equally fast ones by kind; then unmeasured, then failed ones. */
export function ranked(candidates: readonly Candidate[]): readonly Candidate[] {
  const limit = sameAsFastest(candidates, SAME);
  return candidates.toSorted((a, b) => group(a, limit) - group(b, limit) || within(a, b, limit));
}

/** What to use from now on, when `current` (a key) is in use; `null` when nothing is known to work. */
export function chosen(candidates: readonly Candidate[], current: string | null): Candidate | null {
  const [best] = ranked(candidates);
  if (best?.rttMs == null) return null;
  const used = candidates.find(({ key }) => key === current);
  if (used?.rttMs == null || used.rttMs > sameAsFastest(candidates, KEEP)) return best;
  return rankOfKind(used.kind) <= rankOfKind(best.kind) ? used : best;
}

/** The lower, the better. */
function rankOfKind(kind: LinkKind | null): number {
  return LINK_KINDS.indexOf(kind ?? "virtual");
}

function sameAsFastest(candidates: readonly Candidate[], { factor, ms }: typeof SAME): number {
  const fastest = Math.min(...candidates.map(({ rttMs }) => rttMs ?? Number.POSITIVE_INFINITY));
  return fastest * factor + ms;
}

/** 0: as fast as any. 1: slower. 2: not measured. 3: failed. */
function group({ rttMs, failure }: Candidate, limit: number): number {
  if (rttMs !== null) return rttMs <= limit ? 0 : 1;
  return failure === null ? 2 : 3;
}

function within(a: Candidate, b: Candidate, limit: number): number {
  const slower = a.rttMs !== null && b.rttMs !== null && a.rttMs > limit ? a.rttMs - b.rttMs : 0;
  return slower || a.failures - b.failures || rankOfKind(a.kind) - rankOfKind(b.kind) || byOrigin(a, b);
}

function byOrigin(a: Candidate, b: Candidate): number {
  return ADDRESS_ORIGINS.indexOf(a.origin) - ADDRESS_ORIGINS.indexOf(b.origin) || a.place - b.place;
}
