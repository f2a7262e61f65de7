import type { HostPort } from "../../config/address.js";
import type { LinkKind } from "../../discovery/interface-kind.js";
import { isLoopback } from "../../transport/loopback.js";
import { addressKey } from "../addresses.js";
import { ADDRESS_ORIGINS, type AddressOrigin, type Candidate, chosen, ranked } from "./address-choice.js";

/** Of each origin; beyond that the oldest make room. */
const MOST_PER_ORIGIN = 32;
/** Milliseconds; doubles with each failure. */
const FIRST_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 600_000;

/** Every address at which one peer may be, and how it went there. No I/O, no clock. */
export class AddressBook {
  readonly #candidates = new Map<string, Candidate>();

  /** Returns whether it is new. */
  add(address: HostPort, origin: AddressOrigin, place = 0): boolean {
    const key = addressKey(address);
    const known = this.#candidates.get(key);
    if (known !== undefined) {
      if (isBetter(origin, known.origin)) this.#candidates.set(key, { ...known, origin, place });
      return false;
    }
    this.#makeRoom(origin);
    const fresh = { kind: null, rttMs: null, failure: null, failures: 0, retryAt: 0 };
    this.#candidates.set(key, { address, key, origin, place, ...fresh });
    return true;
  }

  /** The peer's own list, instead of the last one. Returns whether one is new. */
  told(addresses: readonly HostPort[]): boolean {
    const keys = new Set(addresses.map(addressKey));
    for (const { key, origin } of [...this.#candidates.values()]) {
      if (origin === "told" && !keys.has(key)) this.#candidates.delete(key);
    }
    return addresses.map((address, place) => this.add(address, "told", place)).includes(true);
  }

  /** Best first, for those who try one after the other. */
  candidates(): readonly Candidate[] {
    return ranked([...this.#candidates.values()]);
  }

  /**
   * Those that are ways of their own. All addresses of the loopback interface lead over the same wire, if they lead to the
   * peer at all: somebody who forwards a port there (a tunnel, a test's slow link) means it. Only the most trusted count.
   */
  ways(): readonly Candidate[] {
    const all = this.candidates();
    const loopback = all.filter(({ address }) => isLoopback(address.host)).map(({ origin }) => origin);
    const trusted = ADDRESS_ORIGINS.find((origin) => loopback.includes(origin));
    return all.filter(({ address, origin }) => !isLoopback(address.host) || origin === trusted);
  }

  /** Those to measure now. */
  due(now: number): readonly Candidate[] {
    return this.ways().filter(({ retryAt }) => retryAt <= now);
  }

  /** What to use from now on; `null`: nothing is known to work. */
  best(current: string | null): Candidate | null {
    return chosen(this.ways(), current);
  }

  /** Whatever else the machines do only makes it slower, so a faster time is believed at once. */
  measured(key: string, rttMs: number): void {
    const before = this.#candidates.get(key)?.rttMs ?? rttMs;
    this.#update(key, { rttMs: Math.min(rttMs, (before + rttMs) / 2), failure: null, failures: 0, retryAt: 0 });
  }

  /** It answered; how fast is measured elsewhere. */
  answered(key: string): void {
    this.#update(key, { failure: null, failures: 0, retryAt: 0 });
  }

  failed(key: string, reason: string, now: number): void {
    const failures = (this.#candidates.get(key)?.failures ?? 0) + 1;
    const pause = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
    this.#update(key, { rttMs: null, failure: reason, failures, retryAt: now + pause });
  }

  leadsThrough(key: string, kind: LinkKind | null): void {
    this.#update(key, { kind });
  }

  #update(key: string, change: Partial<Candidate>): void {
    const known = this.#candidates.get(key);
    if (known !== undefined) this.#candidates.set(key, { ...known, ...change });
  }

  #makeRoom(origin: AddressOrigin): void {
    const same = [...this.#candidates.values()].filter((candidate) => candidate.origin === origin);
    const [oldest] = same;
    if (same.length >= MOST_PER_ORIGIN && oldest !== undefined) this.#candidates.delete(oldest.key);
  }
}

function isBetter(a: AddressOrigin, b: AddressOrigin): boolean {
  return ADDRESS_ORIGINS.indexOf(a) < ADDRESS_ORIGINS.indexOf(b);
}
