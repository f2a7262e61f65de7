import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { $, type ProcessOutput } from "zx";
import { ExoError } from "../src/core/errors.js";

export interface BuildTree {
  /** The package. */
  readonly root: string;
  /** CMake's own files. Apart from `build/` itself, where node-gyp keeps its. */
  readonly cmakeDirectory: string;
  /** The addon and the libraries it opens. */
  readonly libraryDirectory: string;
  readonly addon: string;
}

export function buildTree(root: string): BuildTree {
  const libraryDirectory = join(root, "build", "Release");
  return {
    root,
    cmakeDirectory: join(root, "build", "cmake"),
    libraryDirectory,
    addon: join(libraryDirectory, "exo_native.node"),
  };
}

/** Configures from scratch when the old configuration is of no use (another generator, a moved checkout). */
export async function configure(tree: BuildTree, definitions: Readonly<Record<string, string>>): Promise<void> {
  const entries = { ...definitions, EXO_LIBRARY_DIR: tree.libraryDirectory };
  const flags = Object.entries(entries).map(([name, value]) => `--CD${name}=${value}`);
  const had = existsSync(join(tree.cmakeDirectory, "CMakeCache.txt"));
  try {
    await cmakeJs(tree, "configure", flags);
  } catch (thrown) {
    if (!had) throw thrown;
    await rm(tree.cmakeDirectory, { recursive: true, force: true });
    await cmakeJs(tree, "configure", flags);
  }
}

export async function compile(tree: BuildTree, target: string): Promise<void> {
  await cmakeJs(tree, "build", ["--target", target, "--parallel", String(availableParallelism())]);
}

async function cmakeJs(tree: BuildTree, command: string, flags: readonly string[]): Promise<void> {
  const script = createRequire(import.meta.url).resolve("cmake-js/bin/cmake-js");
  const place = ["--directory", tree.root, "--out", tree.cmakeDirectory];
  await mkdir(tree.cmakeDirectory, { recursive: true });
  const output = await $({ quiet: true, nothrow: true })`${process.execPath} ${script} ${command} ${place} ${flags}`;
  if (output.exitCode !== 0) throw await buildError(tree, command, output);
}

/** Keeps all of the output in a file, and shows the lines that say what went wrong. */
async function buildError(tree: BuildTree, command: string, output: ProcessOutput): Promise<ExoError> {
  const log = join(tree.cmakeDirectory, `${command}.log`);
  const text = output.stdall;
  await writeFile(log, text);
  const lines = text.split("\n");
  const telling = lines.filter((line) => /\berror:|CMake Error|undefined reference|fatal/.test(line)).slice(0, 15);
  const shown = telling.length > 0 ? telling : lines.slice(-15);
  return new ExoError(
    "internal",
    `CMake's ${command} step failed; all of its output is in ${log}.\n${shown.join("\n")}`,
  );
}
