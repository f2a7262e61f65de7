import { join } from "node:path";
import { $ } from "zx";
import { buildNative, runBuildCommand } from "./build.js";
import { compile } from "./cmake.js";
import type { Phases } from "./phases.js";

/** Builds and runs the tests of the plain C++ below the addon. */
async function testNative(root: string, phases: Phases): Promise<void> {
  const tree = await buildNative(root, phases);
  await phases.run("Compiling the native tests", () => compile(tree, "exo_native_tests"));
  await $({ stdio: "inherit" })`ctest --test-dir ${join(tree.cmakeDirectory)} --output-on-failure --timeout 120`;
}

await runBuildCommand(testNative);
