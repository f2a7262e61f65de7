/** What the page remembers in the browser: a `Storage`, or what a test hands over. */
export interface Shelf {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A shelf that may be switched off or full: then nothing is remembered, and nothing breaks. */
export class Kept {
  readonly #shelf: () => Shelf;

  /** @param shelf asked each time, because browsers throw at the mere look at a storage that is switched off */
  constructor(shelf: () => Shelf) {
    this.#shelf = shelf;
  }

  /** `null`: nothing there. */
  read(key: string): string | null {
    try {
      return this.#shelf().getItem(key);
    } catch {
      return null;
    }
  }

  /** `null` also when it is no JSON. */
  readJson(key: string): unknown {
    try {
      return JSON.parse(this.read(key) ?? "null");
    } catch {
      return null;
    }
  }

  /** Whether it is remembered now. */
  write(key: string, value: string): boolean {
    try {
      this.#shelf().setItem(key, value);
      return true;
    } catch {
      return false;
    }
  }

  forget(key: string): void {
    try {
      this.#shelf().removeItem(key);
    } catch {
      // It is not there either way.
    }
  }

  keys(prefix: string): readonly string[] {
    try {
      const shelf = this.#shelf();
      const keys = Array.from({ length: shelf.length }, (_, index) => shelf.key(index) ?? "");
      return keys.filter((key) => key.startsWith(prefix));
    } catch {
      return [];
    }
  }
}
