import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type VendorLayout, vendorLayout } from "./layout.js";
import { type LlamaLock, readLock } from "./lock.js";
import { bundlePackageDirectory, extractRelease } from "./release.js";
import { applyRules, type RuleSet } from "./rules/apply.js";
import { RULE_SET } from "./rules/index.js";

export interface UnpackOptions {
  /** The checkout or installed package. */
  readonly root: string;
  readonly lock?: LlamaLock;
  readonly rules?: RuleSet;
  /** Directory of node-llama-cpp; looked up from `root` when absent. */
  readonly packageDirectory?: string;
  readonly layout?: VendorLayout;
  readonly log?: (line: string) => void;
}

export interface UnpackResult {
  readonly source: string;
  /** False when the tree was already current. */
  readonly changed: boolean;
}

const STAMP = ".exo-stamp";

/**
 * Brings `vendor/llama.cpp` to the locked release with our rules applied. A no-op when its stamp is current. The new
 * tree is made beside the old one and renamed, so an interrupted run never leaves a half one.
 */
export async function unpackLlama(options: UnpackOptions): Promise<UnpackResult> {
  const lock = options.lock ?? (await readLock(options.root));
  const layout = options.layout ?? vendorLayout(options.root);
  const rules = options.rules ?? RULE_SET;
  const stamp = await stampOf(lock, rules, layout.overlay);
  if ((await readStamp(layout.source)) === stamp) return { source: layout.source, changed: false };

  options.log?.(`Unpacking llama.cpp ${lock.llamaCpp.tag}`);
  await mkdir(layout.scratch, { recursive: true });
  const scratch = await mkdtemp(join(layout.scratch, "unpack-"));
  try {
    const tree = join(scratch, "llama.cpp");
    await extractRelease(lock, options.packageDirectory ?? bundlePackageDirectory(options.root), tree);
    await applyRules(tree, rules);
    await cp(layout.overlay, tree, { recursive: true });
    await writeFile(join(tree, STAMP), stamp);
    await keepTimes(layout.source, tree);
    await replaceTree(tree, layout.source, stamp);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { source: layout.source, changed: true };
}

/** Changes whenever the release, a rule or an overlaid file changes. */
async function stampOf(lock: LlamaLock, rules: RuleSet, overlay: string): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(lock.llamaCpp));
  hash.update(
    JSON.stringify(rules, (_key, value) => (value instanceof RegExp ? value.toString() : (value as unknown))),
  );
  const files = (await readdir(overlay, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    hash.update(`\0${path.slice(overlay.length)}\0`).update(await readFile(path));
  }
  return hash.digest("hex");
}

async function readStamp(source: string): Promise<string | null> {
  try {
    return await readFile(join(source, STAMP), "utf8");
  } catch {
    return null;
  }
}

/** Another run may have put a current tree in place meanwhile; then that one stays. */
async function replaceTree(tree: string, source: string, stamp: string): Promise<void> {
  if ((await readStamp(source)) === stamp) return;
  await rm(source, { recursive: true, force: true });
  try {
    await rename(tree, source);
  } catch (cause) {
    if ((await readStamp(source)) !== stamp) throw cause;
  }
}

/** A source file that did not change keeps its time, so that only what did is compiled again. */
async function keepTimes(old: string, tree: string): Promise<void> {
  for (const folder of ["src", "src/models", "include", "common", "ggml/include"]) {
    for (const name of await readdir(join(tree, folder)))
      await keepTime(join(old, folder, name), join(tree, folder, name));
  }
}

async function keepTime(old: string, path: string): Promise<void> {
  try {
    const [before, now] = await Promise.all([stat(old), stat(path)]);
    if (!before.isFile() || before.size !== now.size) return;
    if (!(await readFile(old)).equals(await readFile(path))) return;
    await utimes(path, before.atime, before.mtime);
  } catch {
    // No such file in the old tree.
  }
}
