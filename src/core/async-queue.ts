/** A reader with so many unread items is behind. */
const MANY = 16;

/**
 * A queue with a push end and an `await`ing end. It has no bound of its own: use it where the producer is bounded, or
 * heeds `length`.
 */
export class AsyncQueue<Item> implements AsyncIterable<Item> {
  readonly #items: Item[] = [];
  #end: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;
  #emptied: (() => void) | null = null;

  /** Items that nobody has read yet. */
  get length(): number {
    return this.#items.length;
  }

  /** Calls back once, when everything that was pushed is read; a later call replaces an earlier one. */
  whenRead(callback: () => void): void {
    this.#emptied = callback;
  }

  push(item: Item): void {
    if (this.#end !== null) return;
    this.#items.push(item);
    this.#signal();
  }

  /**
   * As `push`, but once some items wait, in place of the last one if it is of the same kind: to a reader who is behind only
   * the newest counts.
   */
  pushOver(item: Item, isSameKind: (last: Item) => boolean): void {
    const last = this.#items.at(-1);
    const isBehind = this.#items.length >= MANY && last !== undefined && isSameKind(last);
    if (this.#end === null && isBehind) this.#items[this.#items.length - 1] = item;
    else this.push(item);
  }

  /** No more items; the reader gets what is queued, then the end. */
  end(): void {
    this.#finish(null);
  }

  /** The reader gets what is queued, then this error. */
  fail(error: unknown): void {
    this.#finish(error);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, void> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        if (this.#items.length === 0) this.#tellEmptied();
        yield item;
      } else if (this.#end !== null) {
        if (this.#end.error !== null) throw this.#end.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #finish(error: unknown): void {
    this.#end ??= { error };
    this.#signal();
  }

  #tellEmptied(): void {
    const emptied = this.#emptied;
    this.#emptied = null;
    emptied?.();
  }

  #signal(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
