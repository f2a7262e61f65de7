/** Joins lines that end in a backslash with the next one. */
export class LineJoiner {
  #held: readonly string[] = [];

  /** Whether a next line belongs to what was begun. */
  get pending(): boolean {
    return this.#held.length > 0;
  }

  /** The whole entry, or `null` when it goes on. */
  add(line: string): string | null {
    if (line.endsWith("\\")) {
      this.#held = [...this.#held, line.slice(0, -1)];
      return null;
    }
    const entry = [...this.#held, line].join("\n");
    this.#held = [];
    return entry;
  }

  reset(): void {
    this.#held = [];
  }
}
