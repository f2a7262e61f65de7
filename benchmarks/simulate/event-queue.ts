/** Something that happens at a time. */
interface Event {
  readonly at: number;
  /** Events of the same time happen in the order in which they were added. */
  readonly order: number;
  readonly happen: () => void;
}

/** Events by time, then by order of arrival: a binary heap. */
export class EventQueue {
  readonly #heap: Event[] = [];
  #added = 0;

  get size(): number {
    return this.#heap.length;
  }

  add(at: number, happen: () => void): void {
    const event = { at, order: this.#added++, happen };
    let index = this.#heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) break;
      this.#swap(index, parent);
      index = parent;
    }
  }

  /** The earliest event, taken out; `null` when there is none. */
  take(): { readonly at: number; readonly happen: () => void } | null {
    const [first] = this.#heap;
    const last = this.#heap.pop();
    if (first === undefined || last === undefined) return null;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    return first;
  }

  #sink(start: number): void {
    let index = start;
    for (;;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) if (this.#isBefore(child, least)) least = child;
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [first, second] = [this.#heap[a], this.#heap[b]];
    if (first === undefined || second === undefined) return false;
    return first.at < second.at || (first.at === second.at && first.order < second.order);
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a], this.#heap[b]];
    if (first === undefined || second === undefined) return;
    this.#heap[a] = second;
    this.#heap[b] = first;
  }
}
