import { appendFile, chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { ExoError } from "../../core/errors.js";

/** Entries that are kept. */
const MOST_ENTRIES = 1000;

/** A longer one is a pasted document, which nobody looks for in a history. Characters. */
const LONGEST_ENTRY = 10_000;

/** Only its owner may read what was asked. */
const PRIVATE_MODE = 0o600;

/** What was typed, oldest first, kept in a file or nowhere. */
export class ChatHistory {
  readonly #path: string | null;
  #entries: readonly string[];
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string | null, entries: readonly string[]) {
    this.#path = path;
    this.#entries = entries;
  }

  /** Remembers for as long as the process lives. */
  static inMemory(): ChatHistory {
    return new ChatHistory(null, []);
  }

  /** @throws when there is a file that cannot be read. */
  static async open(path: string): Promise<ChatHistory> {
    const lines = await linesOf(path);
    const entries = lines.flatMap(entryOf).slice(-MOST_ENTRIES);
    const history = new ChatHistory(path, entries);
    if (lines.length > 2 * MOST_ENTRIES) await history.#rewrite(path);
    return history;
  }

  get entries(): readonly string[] {
    return this.#entries;
  }

  /** One that begins with a space is nobody's business, as in shells. */
  add(entry: string): void {
    if (entry.trim() === "" || entry.startsWith(" ") || entry === this.#entries.at(-1)) return;
    this.#entries = [...this.#entries, entry].slice(-MOST_ENTRIES);
    const path = this.#path;
    if (path === null || entry.length > LONGEST_ENTRY) return;
    this.#writing = this.#writing.then(() => append(path, entry));
    // Whoever asks `saved` is told.
    this.#writing.catch(() => {});
  }

  /** Resolves when everything is on disk. Rejects when something could not be written. */
  saved(): Promise<void> {
    return this.#writing;
  }

  /** So that it does not grow for ever. Another chat that runs meanwhile loses at most what it adds just now. */
  async #rewrite(path: string): Promise<void> {
    const temporary = `${path}.${process.pid}`;
    const text = this.#entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
    await writeFile(temporary, text, { mode: PRIVATE_MODE });
    await rename(temporary, path);
  }
}

async function linesOf(path: string): Promise<readonly string[]> {
  try {
    return (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return [];
    throw unusable(path, thrown);
  }
}

/** One line holds one entry as a JSON string; what is none was left by a crash or another program. */
function entryOf(line: string): readonly string[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "string" && value.length <= LONGEST_ENTRY ? [value] : [];
  } catch {
    return [];
  }
}

async function append(path: string, entry: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await appendFile(path, `${JSON.stringify(entry)}\n`, { mode: PRIVATE_MODE });
    // The mode above is for a new file only.
    await chmod(path, PRIVATE_MODE);
  } catch (thrown) {
    throw unusable(path, thrown);
  }
}

function unusable(path: string, thrown: unknown): ExoError {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  const message = `The history of chats at ${path} cannot be used (${why}); --no-history does without it.`;
  return new ExoError("invalid_argument", message, { cause: thrown });
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error ? Reflect.get(thrown, "code") : undefined;
}
