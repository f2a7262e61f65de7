import type { Shelf } from "../../src/web/app/kept.js";

/** A `Storage` in memory that is full after so many characters. */
export class MemoryShelf implements Shelf {
  readonly #entries = new Map<string, string>();
  readonly #capacity: number;

  constructor(capacity = Number.POSITIVE_INFINITY) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#entries.size;
  }

  key(index: number): string | null {
    return [...this.#entries.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.#entries.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    const others = [...this.#entries].filter(([name]) => name !== key);
    const taken = others.reduce((sum, [name, text]) => sum + name.length + text.length, key.length + value.length);
    if (taken > this.#capacity) throw new Error("The quota has been exceeded.");
    this.#entries.set(key, value);
  }

  removeItem(key: string): void {
    this.#entries.delete(key);
  }
}
