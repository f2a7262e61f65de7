/**
 * Turns the bytes of tokens into text that may be shown: waits for whole UTF-8 characters, and holds back what may yet
 * become a stop string.
 */
export class TextAssembler {
  readonly #decoder = new TextDecoder("utf-8");
  readonly #stops: readonly string[];
  #held = "";
  #released = 0;
  #stopped = false;
  #stoppedBy: string | null = null;

  /** @param stops the answer ends before the first of these; empty ones are ignored */
  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== "");
  }

  /** A stop string was completed; nothing comes after it. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** The stop string that was completed first, or `null`. */
  get stoppedBy(): string | null {
    return this.#stoppedBy;
  }

  /** UTF-16 units of text returned so far. */
  get released(): number {
    return this.#released;
  }

  /** UTF-16 units of text so far, with those that are held back; bytes of a character that is not whole do not count. */
  get received(): number {
    return this.#released + this.#held.length;
  }

  /** Adds the bytes of one token; returns the text that can be shown now. */
  push(bytes: Uint8Array): string {
    if (this.#stopped) return "";
    return this.#release(this.#held + this.#decoder.decode(bytes, { stream: true }), false);
  }

  /** The answer has ended: returns what was held back. An incomplete character becomes U+FFFD. */
  finish(): string {
    if (this.#stopped) return "";
    return this.#release(this.#held + this.#decoder.decode(), true);
  }

  #release(text: string, final: boolean): string {
    const stopAt = this.#firstStop(text);
    if (stopAt >= 0) {
      this.#stopped = true;
      return this.#cut(text.slice(0, stopAt), "");
    }
    const hold = final ? 0 : this.#heldLength(text);
    return this.#cut(text.slice(0, text.length - hold), text.slice(text.length - hold));
  }

  #cut(shown: string, held: string): string {
    this.#held = held;
    this.#released += shown.length;
    return shown;
  }

  #firstStop(text: string): number {
    let first = -1;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at < 0 || (first >= 0 && at >= first)) continue;
      first = at;
      this.#stoppedBy = stop;
    }
    return first;
  }

  /** Length of the longest end of `text` with which some stop string begins. */
  #heldLength(text: string): number {
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length - 1));
    for (let length = Math.min(longest, text.length); length > 0; length -= 1) {
      const tail = text.slice(text.length - length);
      if (this.#stops.some((stop) => stop.startsWith(tail))) return length;
    }
    return 0;
  }
}
