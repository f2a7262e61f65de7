import { styleText } from "node:util";
import { ExoError } from "../src/core/errors.js";
import { PROJECT_ROOT } from "../vendor/layout.js";
import { prepareLlama } from "../vendor/prepare.js";
import { buildKey, isCurrent, writeStamp } from "./build-stamp.js";
import { type BuildTree, buildTree, compile, configure } from "./cmake.js";
import { Phases } from "./phases.js";
import { checkTools } from "./tools.js";

/** Builds the addon into `build/Release`; returns at once when that is current. */
export async function buildNative(root: string, phases: Phases): Promise<BuildTree> {
  const tree = buildTree(root);
  const key = await buildKey(root);
  if (await isCurrent(tree.addon, key)) {
    phases.say("The native addon is up to date.");
    return tree;
  }
  phases.say("Building the native addon (about two minutes the first time).");
  await phases.run("Looking for compiler, CMake and git", checkTools);
  const llama = await phases.run("Unpacking llama.cpp and cutting it by layers", () => prepareLlama({ root }));
  const origin = llama.prebuilt === null ? "compiled from source" : `prebuilt, from ${llama.prebuilt.packageName}`;
  phases.say(`  llama.cpp ${llama.lock.llamaCpp.tag}; ggml and llama-common: ${origin}`);
  await phases.run("Configuring", () => configure(tree, llama.cmakeDefinitions));
  await phases.run("Compiling", () => compile(tree, "exo_native"));
  await writeStamp(tree.addon, key);
  phases.say(`${styleText("green", "✓")} ${tree.addon}`);
  return tree;
}

/** Runs a command of the build; a failure is one message and exit code 1. */
export async function runBuildCommand(command: (root: string, phases: Phases) => Promise<unknown>): Promise<void> {
  try {
    await command(PROJECT_ROOT, new Phases());
  } catch (thrown) {
    process.stderr.write(`\n${styleText("red", "✗")} ${ExoError.from(thrown).message}\n`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) await runBuildCommand(buildNative);
