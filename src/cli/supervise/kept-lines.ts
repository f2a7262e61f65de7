const MOST_LINES = 60;
const MOST_LENGTH = 500;

/**
 * What runtimes, libraries and compilers say when a process goes down. Nothing else that stands on standard error is kept: it
 * may be text of users.
 */
const LAST_WORDS: readonly RegExp[] = [
  // ggml: "/src/ggml.c:123: GGML_ASSERT(a == b) failed", and what it said of a device before.
  /\.(?:c|cc|cpp|cu|cuh|h|hpp|m|mm|metal):\d+: /,
  /^(?:ggml\w*|CUDA|ROCm|MUSA|HIP|SYCL|Metal|Vulkan)\b.*(?:error|fail|abort)/i,
  /^ {2}(?:current device: |(?:cu|hip|mu)\w*\()/,
  // C and C++ libraries.
  /^terminate called /,
  /^ {2}what\(\): /,
  /Assertion .* failed/,
  /^(?:free|malloc|realloc|munmap_chunk|corrupted|double free|\*\*\* )/,
  // V8, and sanitizers.
  /^FATAL ERROR: /,
  /^#.*(?:Fatal error|Check failed)/,
  /^==\d+==\s?(?:ERROR|SUMMARY)/,
];

/** The last words of a process, out of all that it writes on standard error. */
export class KeptLines {
  readonly #lines: string[] = [];
  #rest = "";

  add(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(-MOST_LENGTH);
    for (const line of lines) this.#keep(line);
  }

  /** When no more comes. */
  end(): readonly string[] {
    this.#keep(this.#rest);
    this.#rest = "";
    return this.#lines;
  }

  #keep(line: string): void {
    const kept = lastWords(line);
    if (kept === null) return;
    this.#lines.push(kept);
    if (this.#lines.length > MOST_LINES) this.#lines.shift();
  }
}

/** The line as it may be kept, or `null`. */
export function lastWords(line: string): string | null {
  if (!LAST_WORDS.some((shape) => shape.test(line))) return null;
  // A parser's complaint quotes what it could not read.
  const unquoted = line.startsWith("  what(): ") ? line.replace(/["'`].*/s, "…") : line;
  return unquoted.trimEnd().slice(0, MOST_LENGTH);
}
