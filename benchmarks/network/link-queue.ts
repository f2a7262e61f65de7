export interface Link {
  readonly oneWayMs: number;
  /** Cap in each direction; absent: none. */
  readonly bytesPerSecond?: number;
}

interface Due<Item> {
  readonly item: Item;
  readonly bytes: number;
  readonly at: number;
}

/**
 * One direction of a link: what goes in comes out in order, `oneWayMs` after its last byte has passed the cap. Time is
 * given, in milliseconds.
 */
export class LinkQueue<Item> {
  readonly #link: Link;
  readonly #waiting: Due<Item>[] = [];
  /** When the cap lets the next byte in. */
  #freeAt = 0;
  #bytes = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  push(item: Item, bytes: number, now: number): void {
    const { oneWayMs, bytesPerSecond } = this.#link;
    const passing = bytesPerSecond === undefined ? 0 : (bytes / bytesPerSecond) * 1000;
    this.#freeAt = Math.max(now, this.#freeAt) + passing;
    this.#bytes += bytes;
    this.#waiting.push({ item, bytes, at: this.#freeAt + oneWayMs });
  }

  /** Under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the next item is due, or `null`. */
  get nextDue(): number | null {
    return this.#waiting[0]?.at ?? null;
  }

  /** Everything that is due, in order. */
  take(now: number): Item[] {
    const due = this.#waiting.findIndex(({ at }) => at > now);
    const taken = this.#waiting.splice(0, due < 0 ? this.#waiting.length : due);
    for (const { bytes } of taken) this.#bytes -= bytes;
    return taken.map(({ item }) => item);
  }
}
