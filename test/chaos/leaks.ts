import type { NodeUsage } from "./cluster.js";

/** What a node may hold more than when it was first whole. */
const MOST_FILES = 40;
const MOST_BYTES = 150 * 2 ** 20;

/** Watches what each node process takes, from when it is first seen on, or later where it is seen while it starts. */
export class LeakWatch {
  readonly #ignoredLooks: number;
  readonly #looks = new Map<number, number>();
  readonly #first = new Map<number, NodeUsage>();
  readonly #told = new Set<string>();
  #last: readonly NodeUsage[] = [];

  /** @param ignoredLooks so many looks at a process, before it has warmed up, say nothing */
  constructor(ignoredLooks: number) {
    this.#ignoredLooks = ignoredLooks;
  }

  /** Sentences about what grew too much; each once for a process. */
  look(usage: readonly NodeUsage[]): readonly string[] {
    this.#last = usage;
    return usage.flatMap((now) => {
      const looks = (this.#looks.get(now.pid) ?? 0) + 1;
      this.#looks.set(now.pid, looks);
      if (looks <= this.#ignoredLooks) return [];
      const first = this.#first.get(now.pid);
      if (first === undefined) this.#first.set(now.pid, now);
      return first === undefined ? [] : this.#new(now.pid, growth(first, now));
    });
  }

  /** For people: how each process that runs now has changed since it was first seen. */
  summary(): readonly string[] {
    return this.#last.map((now) => {
      const first = this.#first.get(now.pid) ?? now;
      return `${now.name} (process ${now.pid}): ${mib(first.bytes)} to ${mib(now.bytes)} MiB, ${first.files} to ${now.files} files`;
    });
  }

  #new(pid: number, sentences: readonly (readonly [kind: string, sentence: string])[]): readonly string[] {
    return sentences.flatMap(([kind, sentence]) => {
      const key = `${kind} ${pid}`;
      if (this.#told.has(key)) return [];
      this.#told.add(key);
      return [sentence];
    });
  }
}

function growth(first: NodeUsage, now: NodeUsage): readonly (readonly [string, string])[] {
  const { name } = now;
  const files = `${name} has ${now.files} files open, ${first.files} at first`;
  const bytes = `${name} takes ${mib(now.bytes)} MiB, ${mib(first.bytes)} at first`;
  return [
    ...(now.files - first.files > MOST_FILES ? [["files", files] as const] : []),
    ...(now.bytes - first.bytes > MOST_BYTES ? [["bytes", bytes] as const] : []),
  ];
}

function mib(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
