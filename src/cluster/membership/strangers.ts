import type { HostPort } from "../../config/address.js";
import { addressKey } from "../addresses.js";
import type { Stranger } from "./member.js";

/** Milliseconds. Whoever is still there is met again sooner. */
const FORGET_MS = 90_000;
const MOST = 64;

/** Who was met lately and cannot be used, by address. */
export class Strangers {
  readonly #met = new Map<string, { readonly stranger: Stranger; readonly at: number }>();

  /** Returns whether that is news. */
  met(id: string, name: string, address: HostPort, reason: string, now: number): boolean {
    const key = addressKey(address);
    const known = this.#met.get(key);
    const isNews = known === undefined || now - known.at >= FORGET_MS;
    this.#met.delete(key);
    this.#met.set(key, { stranger: { id, name, address, state: "refused", reason }, at: now });
    const [oldest] = this.#met.keys();
    if (this.#met.size > MOST && oldest !== undefined) this.#met.delete(oldest);
    return isNews;
  }

  list(now: number): readonly Stranger[] {
    return [...this.#met.values()].filter(({ at }) => now - at < FORGET_MS).map(({ stranger }) => stranger);
  }

  /** It takes part now. */
  forget(address: HostPort): void {
    this.#met.delete(addressKey(address));
  }
}
