import { join } from "node:path";
import { $ } from "zx";
import { ExoError } from "../../src/core/errors.js";
import { PROJECT_ROOT } from "../../vendor/layout.js";
import { prepareLlama } from "../../vendor/prepare.js";

/** Builds llama.cpp's own benchmark against the untouched prebuilt libraries; returns the directory of executables. */
export async function buildPeers(): Promise<string> {
  const llama = await prepareLlama();
  if (llama.prebuilt === null) {
    throw new ExoError("unsupported", "The peers are built against prebuilt llama.cpp libraries; there are none here.");
  }
  const build = join(PROJECT_ROOT, "build", "peers");
  const definitions = Object.entries(llama.cmakeDefinitions).map(([name, value]) => `-D${name}=${value}`);
  const quiet = $({ quiet: true });
  await quiet`cmake -S ${join(PROJECT_ROOT, "benchmarks", "peers")} -B ${build} ${definitions}`;
  await quiet`cmake --build ${build} --parallel 2`;
  return build;
}

if (process.argv[1] === import.meta.filename) process.stdout.write(`${await buildPeers()}\n`);
