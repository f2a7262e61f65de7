import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ExoError } from "../../src/core/errors.js";
import { applyRule, type Rule } from "./rule.js";

export interface RuleSet {
  readonly rules: readonly Rule[];
  /** Folder → every file name it must hold: no more, no fewer. */
  readonly inventories: Readonly<Record<string, readonly string[]>>;
}

/** Transforms an unpacked llama.cpp tree in place. Nothing is written unless every rule fits. */
export async function applyRules(tree: string, set: RuleSet): Promise<void> {
  for (const [folder, expected] of Object.entries(set.inventories)) await checkInventory(tree, folder, expected);
  const texts = new Map<string, string>();
  for (const rule of set.rules) {
    const text = texts.get(rule.file) ?? (await readTarget(tree, rule));
    texts.set(rule.file, applyRule(rule, text));
  }
  for (const [file, text] of texts) await writeFile(join(tree, file), text);
}

async function readTarget(tree: string, rule: Rule): Promise<string> {
  try {
    return await readFile(join(tree, rule.file), "utf8");
  } catch (cause) {
    throw new ExoError(
      "internal",
      `Rule "${rule.name}" needs ${rule.file}, which this llama.cpp does not have: mend the rule under vendor/rules.`,
      { cause },
    );
  }
}

async function checkInventory(tree: string, folder: string, expected: readonly string[]): Promise<void> {
  const found = (await readdir(join(tree, folder))).filter((name) => name.endsWith(".cpp"));
  const added = found.filter((name) => !expected.includes(name));
  const gone = expected.filter((name) => !found.includes(name));
  if (added.length === 0 && gone.length === 0) return;
  throw new ExoError(
    "internal",
    `${folder} of llama.cpp is not the one the rules were written for` +
      (added.length > 0 ? `; new: ${added.join(", ")}` : "") +
      (gone.length > 0 ? `; gone: ${gone.join(", ")}` : "") +
      ". Say in vendor/rules/layer-loops.ts how each is split.",
  );
}
