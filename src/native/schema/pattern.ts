import { characterClass, NAMED, type Range } from "./character-class.js";

/** Beyond that grammars get too large. */
const MOST_REPETITIONS = 1_000;

const ANYTHING = characterClass([], true) ?? "";

/** Patterns that llama-common turns into a grammar as they are. The others change, and a model may read them in its prompt. */
const PLAIN = /^\^(?:[A-Za-z0-9 _,:;@/-]|\[[A-Za-z0-9 _-]+\]|\(\?:|[()|]|[*+?]|\{\d{1,3}(?:,\d{0,3})?\}(?!\?))*\$$/;

export function isRegExp(pattern: string): boolean {
  return compiles(pattern, "u") || compiles(pattern, "");
}

function compiles(pattern: string, flags: string): boolean {
  try {
    new RegExp(pattern, flags);
    return true;
  } catch {
    return false;
  }
}

/**
 * The pattern as llama-common's grammars need it: from the first character to the last, with no way out of the JSON string.
 * What it takes the pattern takes too. `null` for what no grammar can say, or this one not: looking around, backward
 * references, characters that JSON escapes.
 *
 * @param pattern a valid regular expression
 */
export function grammarPattern(pattern: string): string | null {
  if (PLAIN.test(pattern)) return pattern;
  return new Translation(pattern).run();
}

/** Thrown on the way: there is no such grammar. */
class NoGrammar extends Error {}

class Translation {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#characters = [...pattern];
  }

  run(): string | null {
    try {
      const start = this.#take("^") ? "" : `${ANYTHING}*`;
      const body = this.#alternatives(0);
      const end = this.#take("$") ? "" : `${ANYTHING}*`;
      if (this.#at < this.#characters.length) return null;
      return `^${start}(${body})${end}$`;
    } catch (thrown) {
      if (thrown instanceof NoGrammar) return null;
      throw thrown;
    }
  }

  #alternatives(depth: number): string {
    if (depth > 50) throw new NoGrammar();
    let text = "";
    for (let next = this.#peek(); next !== undefined && next !== ")"; next = this.#peek()) {
      if (depth === 0 && next === "$" && this.#at === this.#characters.length - 1) break;
      text += this.#take("|") ? "|" : this.#atom(depth) + this.#quantifier();
    }
    return text;
  }

  /** Each stands for itself, so that a quantifier means nothing before it. */
  #atom(depth: number): string {
    const next = this.#next();
    switch (next) {
      case ".":
        return ANYTHING;
      case "(":
        return this.#group(depth);
      case "[":
        return this.#class();
      case "\\":
        return this.#escape();
      case "^":
      case "$":
      case "{":
      case "}":
      case "*":
      case "+":
      case "?":
        throw new NoGrammar();
      default:
        return oneOf([rangeOf(next)]);
    }
  }

  #group(depth: number): string {
    if (this.#take("?") && !this.#take(":")) this.#name();
    const inner = this.#alternatives(depth + 1);
    if (!this.#take(")")) throw new NoGrammar();
    return `(${inner})`;
  }

  /** Of a named group; lookbehind begins alike. */
  #name(): void {
    if (!this.#take("<") || this.#peek() === "=" || this.#peek() === "!") throw new NoGrammar();
    while (this.#next() !== ">");
  }

  #quantifier(): string {
    const simple = ["*", "+", "?"].find((sign) => this.#take(sign));
    const text = simple ?? (this.#take("{") ? this.#counts() : "");
    // Whether it is greedy changes nothing of what fits.
    if (text !== "") this.#take("?");
    return text;
  }

  #counts(): string {
    let inside = "";
    for (let next = this.#next(); next !== "}"; next = this.#next()) inside += next;
    const [, least = "", comma, most = ""] = /^(\d{1,9})(,?)(\d{0,9})$/.exec(inside) ?? [];
    const largest = Math.max(Number(least), Number(most));
    if (least === "" || largest > MOST_REPETITIONS) throw new NoGrammar();
    if ((comma === "" && Number(least) === 0) || (most !== "" && Number(most) === 0)) throw new NoGrammar();
    return `{${inside}}`;
  }

  #escape(): string {
    const next = this.#next();
    const named = NAMED[next.toLowerCase()];
    if (named !== undefined) return oneOf(named, next !== next.toLowerCase());
    return oneOf([this.#escaped(next)]);
  }

  #class(): string {
    const negated = this.#take("^");
    const ranges: Range[] = [];
    while (!this.#take("]")) ranges.push(...this.#member());
    return oneOf(ranges, negated);
  }

  #member(): readonly Range[] {
    const first = this.#classCharacter();
    const mayGoOn = first.length === 1 && this.#peek() === "-" && this.#characters[this.#at + 1] !== "]";
    if (!mayGoOn) return first;
    this.#next();
    const last = this.#classCharacter();
    const [from, to] = [first[0]?.[0], last[0]?.[1]];
    if (last.length !== 1 || from === undefined || to === undefined || from > to) throw new NoGrammar();
    return [[from, to]];
  }

  #classCharacter(): readonly Range[] {
    const next = this.#next();
    if (next !== "\\") return [rangeOf(next)];
    const letter = this.#next();
    if (letter === "b") throw new NoGrammar();
    const named = NAMED[letter];
    return named ?? [this.#escaped(letter)];
  }

  /** What stands behind a backslash and means one character. */
  #escaped(letter: string): Range {
    if (letter === "x") return this.#hex(2);
    if (letter === "u") return this.#hex(4);
    if (/[A-Za-z0-9]/.test(letter)) throw new NoGrammar();
    return rangeOf(letter);
  }

  #hex(digits: number): Range {
    let text = "";
    for (let count = 0; count < digits; count += 1) text += this.#next();
    if (!/^[0-9A-Fa-f]+$/.test(text)) throw new NoGrammar();
    const code = Number.parseInt(text, 16);
    return [code, code];
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #next(): string {
    const next = this.#characters[this.#at];
    if (next === undefined) throw new NoGrammar();
    this.#at += 1;
    return next;
  }

  #take(sign: string): boolean {
    if (this.#peek() !== sign) return false;
    this.#at += 1;
    return true;
  }
}

function rangeOf(character: string): Range {
  const code = character.codePointAt(0) ?? 0;
  return [code, code];
}

function oneOf(ranges: readonly Range[], negated = false): string {
  const text = characterClass(ranges, negated);
  if (text === null) throw new NoGrammar();
  return text;
}
