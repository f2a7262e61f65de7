// The package's `install` script. Plain JavaScript, as nothing is compiled yet in a git checkout.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const build = join(root, "dist", "native", "build.js");

// In a checkout npm's `prepare` compiles the TypeScript first and then builds.
const isCheckout = existsSync(join(root, ".git")) || !existsSync(build);

if (!isCheckout) {
  const { buildNative, runBuildCommand } = await import(new URL("../dist/native/build.js", import.meta.url).href);
  await runBuildCommand(buildNative);
}
