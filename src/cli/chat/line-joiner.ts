/** What a person typed, as a whole. */
export interface Entry {
  readonly text: string;
  /** It stood in quotes, so it is no command. */
  readonly quoted: boolean;
}

const QUOTES = '"""';

/** Quotes at the beginning, or behind the one command whose argument may be long. */
const OPENING = /^\s*(\/system\s+)?"""/;

/** Makes one entry of several lines: those that end in a backslash, and what stands between two `"""`. */
export class LineJoiner {
  #held: readonly string[] = [];
  #block: readonly string[] | null = null;
  /** What stood before the quotes. */
  #command = "";

  /** Whether a next line belongs to what was begun. */
  get pending(): boolean {
    return this.#held.length > 0 || this.#block !== null;
  }

  /** The whole entry, or `null` when it goes on. */
  add(line: string): Entry | null {
    if (this.#block !== null) return this.#addToBlock(this.#block, line);
    const opening = this.#held.length === 0 ? OPENING.exec(line) : null;
    if (opening !== null) {
      this.#command = opening[1] ?? "";
      return this.#addToBlock([], line.slice(opening[0].length));
    }
    if (line.endsWith("\\")) {
      this.#held = [...this.#held, line.slice(0, -1)];
      return null;
    }
    const text = [...this.#held, line].join("\n");
    this.reset();
    return { text, quoted: false };
  }

  reset(): void {
    this.#held = [];
    this.#block = null;
    this.#command = "";
  }

  #addToBlock(before: readonly string[], line: string): Entry | null {
    const end = line.trimEnd();
    if (!end.endsWith(QUOTES)) {
      // The first line is often empty: the text begins below the quotes.
      this.#block = before.length === 0 && line.trim() === "" && this.#block === null ? [] : [...before, line];
      return null;
    }
    const last = end.slice(0, -QUOTES.length);
    const text = [...before, ...(last.trim() === "" && before.length > 0 ? [] : [last])].join("\n");
    const command = this.#command;
    this.reset();
    return { text: command + text, quoted: command === "" };
  }
}
