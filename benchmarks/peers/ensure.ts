import type { BenchCase } from "../cases/bench-case.js";
import { buildPeers } from "./build.js";
import { BUILD_COMMAND } from "./tools.js";

/**
 * Builds llama.cpp's own tools if a case needs them; takes a second when they are up to date. Where they cannot be built,
 * what is there is used, and what is not is left out.
 */
export async function ensurePeers(cases: readonly BenchCase[], say: (line: string) => void): Promise<void> {
  const needed = cases.some(({ subjects }) => subjects.some(({ kind }) => kind === "llama.cpp" || kind === "rpc"));
  if (!needed) return;
  say("Making sure that llama.cpp's own tools are built (up to a minute the first time) …");
  try {
    await buildPeers();
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    say(`${reason}\nWhat is missing is left out; \`${BUILD_COMMAND}\` tries again.`);
  }
}
