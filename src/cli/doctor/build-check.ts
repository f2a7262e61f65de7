import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { packageRoot } from "../../core/package.js";
import type { Check } from "./check.js";
import { type Finding, ok, problem } from "./finding.js";
import type { DoctorSystem } from "./system.js";

/** Whether this Node is new enough, and, where the addon does not open, whether it could be built here. */
export const buildCheck: Check = {
  subject: "Node and the tools of a build",
  run: async ({ system }) => [nodeVersion(system.nodeVersion, leastNode()), ...(await tools(system))],
};

const manifest = z.object({ engines: z.object({ node: z.string().regex(/^>=\d+(\.\d+)*$/) }) });

function leastNode(): string {
  const text = readFileSync(join(packageRoot(), "package.json"), "utf8");
  return manifest.parse(JSON.parse(text)).engines.node.slice(2);
}

function nodeVersion(own: string, least: string): Finding {
  if (compare(own, least) >= 0) return ok("build.node", `Node ${own}`);
  return problem(
    "build.node",
    `Node ${own} is too old`,
    `exo-native needs ${least} or newer.`,
    "Install a newer one from https://nodejs.org, or with your version manager: nvm install --lts",
  );
}

/** Negative when `a` is the older one of two versions. */
function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  const length = Math.max(left?.length ?? 0, right?.length ?? 0);
  const differences = Array.from({ length }, (_, index) => (left?.[index] ?? 0) - (right?.[index] ?? 0));
  return differences.find((difference) => difference !== 0) ?? 0;
}

/** An addon that works needs no tools: most machines have none. */
async function tools(system: DoctorSystem): Promise<readonly Finding[]> {
  if ((await system.native()).works) return [];
  const missing = await system.missingTools();
  if (missing.length === 0) return [ok("build.tools", "Compiler, CMake and git are here to build the addon with")];
  return missing.map((sentence) => {
    // "Building exo-native needs git (not found): install it with: sudo apt install git"
    const [what = sentence, how] = sentence.split(/: (?:install it with: )?/, 2);
    return problem("build.tools", what, "The addon does not work and cannot be built without it.", how ?? sentence);
  });
}
