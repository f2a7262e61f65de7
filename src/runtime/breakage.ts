import type { ExoError } from "../core/errors.js";

/** Why a pipeline can compute nothing any more, and who wants to know. */
export class Breakage {
  #reason: ExoError | null = null;
  #listeners: ((error: ExoError) => void)[] = [];

  /** The first reason given, or `null`. */
  get reason(): ExoError | null {
    return this.#reason;
  }

  /** Calls back once, now if there is a reason already. */
  listen(callback: (error: ExoError) => void): void {
    if (this.#reason === null) this.#listeners.push(callback);
    else callback(this.#reason);
  }

  set(reason: ExoError): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    for (const listener of this.#listeners.splice(0)) listener(reason);
  }
}
