import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runBuildCommand } from "../../native/build.js";
import type { Phases } from "../../native/phases.js";
import { ExoError } from "../../src/core/errors.js";
import { readLock } from "../../vendor/lock.js";
import { type Comparison, compareCuts } from "./matrix.js";
import { generateModels } from "./models.js";
import { type ModelResult, renderReport, summarize, verdictOf } from "./report.js";
import { type ArchTools, buildTools } from "./tools.js";

/** Fewer than this many equal to the whole model is a failure. */
const ENOUGH = 120;

interface Depth {
  readonly name: string;
  readonly generator: (tools: ArchTools) => string;
  readonly cuts: readonly string[];
}

const DEPTHS: readonly Depth[] = [
  {
    name: "llama.cpp's models",
    generator: (tools) => tools.makeModels,
    cuts: ["whole", "2", "3", "2+head", "3+head", "2+head all"],
  },
  {
    name: "the same with six layers",
    generator: (tools) => tools.makeDeepModels,
    cuts: ["whole", "2", "3", "3+head", "layers+head", "layers+head all"],
  },
];

/** `npm run test:archs [-- FILTER]`: without a filter it also writes docs/architectures.md. */
async function testArchitectures(root: string, phases: Phases): Promise<void> {
  const filter = process.argv[2] ?? "";
  const tools = await buildTools(root, phases);
  const found = new Map<string, Comparison[]>();
  for (const depth of DEPTHS) {
    await phases.run(`Comparing ${depth.name}`, () => compareDepth(tools, depth, filter, found));
  }
  const results = [...found].map(([name, comparisons]) => ({ name, comparisons }));
  if (filter === "") {
    const lock = await readLock(root);
    await writeFile(join(root, "docs", "architectures.md"), renderReport(results, lock.llamaCpp.tag));
  }
  conclude(results, filter === "" ? ENOUGH : 0, phases);
}

/** The models take about 2 GB of temporary disk, one depth at a time. */
async function compareDepth(
  tools: ArchTools,
  depth: Depth,
  filter: string,
  found: Map<string, Comparison[]>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "exo-archs-"));
  try {
    for (const model of await generateModels(depth.generator(tools), tools.libraries, directory, filter)) {
      const comparisons = await compareCuts(tools, model, depth.cuts);
      found.set(model.name, [...(found.get(model.name) ?? []), ...comparisons]);
      await rm(model.path);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function conclude(results: readonly ModelResult[], enough: number, phases: Phases): void {
  const summary = summarize(results);
  for (const result of results.filter((one) => verdictOf(one) !== "equal")) {
    const bad = result.comparisons.find((one) => one.outcome !== "equal");
    phases.say(`  ${result.name}: cut ${bad?.cut}: ${bad?.outcome} ${bad?.error ?? ""} ${bad?.reason ?? ""}`);
  }
  phases.say(`${summary.equal} of ${summary.total} equal, ${summary.refused} refused, ${summary.wrong.length} wrong.`);
  if (summary.wrong.length > 0 || summary.equal < enough) {
    throw new ExoError(
      "internal",
      `Cuts of ${summary.wrong.join(", ") || "too many models"} are not what the whole model is: ` +
        `${summary.equal} of ${summary.total} are equal, at least ${enough} must be, and none may be wrong.`,
    );
  }
}

await runBuildCommand(testArchitectures);
