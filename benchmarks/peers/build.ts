import { availableParallelism } from "node:os";
import { join } from "node:path";
import { $, which } from "zx";
import { ExoError } from "../../src/core/errors.js";
import { PROJECT_ROOT } from "../../vendor/layout.js";
import { prepareLlama } from "../../vendor/prepare.js";
import { peersDirectory } from "./tools.js";

/**
 * Builds llama.cpp's own tools and its RPC backend against the untouched prebuilt libraries, so that they compute with the
 * same CPU kernels as our nodes. Compiles only what is not up to date, at low priority. Returns their directory.
 *
 * @param target only this one; `llama-server`, say, which is not among those that are built without a name
 */
export async function buildPeers(target: string | null = null): Promise<string> {
  const llama = await prepareLlama();
  if (llama.prebuilt === null) {
    throw new ExoError("unsupported", "The peers are built against prebuilt llama.cpp libraries; there are none here.");
  }
  const build = peersDirectory();
  const definitions = Object.entries(llama.cmakeDefinitions).map(([name, value]) => `-D${name}=${value}`);
  await run(["cmake", "-S", join(PROJECT_ROOT, "benchmarks", "peers"), "-B", build, ...definitions]);
  const only = target === null ? [] : ["--target", target];
  await run(["cmake", "--build", build, "--parallel", String(availableParallelism()), ...only]);
  return build;
}

async function run(command: readonly string[]): Promise<void> {
  const polite = (await which("nice", { nothrow: true })) === null ? [] : ["nice", "-n", "10"];
  const output = await $({ quiet: true, nothrow: true })`${[...polite, ...command]}`;
  if (output.exitCode === 0) return;
  const lines = output.stdall.split("\n").filter((line) => /error|fatal|not found/i.test(line));
  throw new ExoError("internal", `llama.cpp's tools could not be built:\n${lines.slice(0, 10).join("\n")}`);
}

if (process.argv[1] === import.meta.filename) {
  try {
    process.stdout.write(`${await buildPeers()}\n`);
  } catch (thrown) {
    process.stderr.write(`error: ${ExoError.from(thrown).message}\n`);
    process.exitCode = 1;
  }
}
