import { ExoError } from "../../src/core/errors.js";

/** Replaces one text by another at a known number of places of one file. */
export interface Rule {
  /** Says what the rule is for; named in the error when the rule misses. */
  readonly name: string;
  /** Path inside the llama.cpp tree, with forward slashes. */
  readonly file: string;
  readonly find: string | RegExp;
  /** `$1`, `$<name>` and so on refer to the match of a regular expression; literal when `find` is a string. */
  readonly replace: string;
  /** How many places must match; 1 when absent. */
  readonly count?: number;
}

function matchCount(text: string, find: string | RegExp): number {
  if (typeof find === "string") return text.split(find).length - 1;
  return [...text.matchAll(globalOf(find))].length;
}

function globalOf(pattern: RegExp): RegExp {
  return pattern.global ? pattern : new RegExp(pattern.source, `${pattern.flags}g`);
}

/** The text after the rule. A rule that matches more or fewer places than it says fails and names them. */
export function applyRule(rule: Rule, text: string): string {
  const expected = rule.count ?? 1;
  const found = matchCount(text, rule.find);
  if (found !== expected) {
    throw new ExoError(
      "internal",
      `Rule "${rule.name}" expects ${places(expected)} in ${rule.file} of llama.cpp but finds ${found}: ` +
        "llama.cpp has changed there, so look at that file and mend the rule under vendor/rules.",
    );
  }
  if (typeof rule.find === "string") return text.split(rule.find).join(rule.replace);
  return text.replace(globalOf(rule.find), rule.replace);
}

function places(count: number): string {
  return count === 1 ? "1 place" : `${count} places`;
}
