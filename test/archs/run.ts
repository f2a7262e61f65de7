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

interface Source {
  readonly name: string;
  readonly isExtra: boolean;
  readonly generator: (tools: ArchTools) => string;
  readonly cuts: readonly string[];
}

const DEEP_CUTS = ["whole", "2", "3", "3+head", "layers+head", "layers+head all"];

const SOURCES: readonly Source[] = [
  {
    name: "llama.cpp's models",
    isExtra: false,
    generator: (tools) => tools.makeModels,
    cuts: ["whole", "2", "3", "2+head", "3+head", "2+head all"],
  },
  {
    name: "the same with six layers",
    isExtra: false,
    generator: (tools) => tools.makeDeepModels,
    cuts: DEEP_CUTS,
  },
  {
    name: "architectures that its test leaves out",
    isExtra: true,
    generator: (tools) => tools.makeExtraModels,
    cuts: DEEP_CUTS,
  },
];

/** `npm run test:archs [-- FILTER]`: without a filter it also writes docs/architectures.md. */
async function testArchitectures(root: string, phases: Phases): Promise<void> {
  const filter = process.argv[2] ?? "";
  const tools = await buildTools(root, phases);
  const found = new Map<string, ModelResult>();
  for (const source of SOURCES) {
    await phases.run(`Comparing ${source.name}`, () => compareAll(tools, source, filter, found));
  }
  const results = [...found.values()];
  if (filter === "") {
    const lock = await readLock(root);
    await writeFile(join(root, "docs", "architectures.md"), renderReport(results, lock.llamaCpp.tag));
  }
  conclude(results, filter === "" ? ENOUGH : 0, phases);
}

/** The models take about 2 GB of temporary disk, one source at a time. */
async function compareAll(
  tools: ArchTools,
  source: Source,
  filter: string,
  found: Map<string, ModelResult>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "exo-archs-"));
  try {
    for (const model of await generateModels(source.generator(tools), tools.libraries, directory, filter)) {
      const before: readonly Comparison[] = found.get(model.name)?.comparisons ?? [];
      const comparisons = [...before, ...(await compareCuts(tools, model, source.cuts))];
      found.set(model.name, { name: model.name, isExtra: source.isExtra, comparisons });
      await rm(model.path);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function conclude(results: readonly ModelResult[], enough: number, phases: Phases): void {
  const models = summarize(results.filter((result) => !result.isExtra));
  const { wrong } = summarize(results);
  for (const result of results.filter((one) => verdictOf(one) !== "equal")) {
    const bad = result.comparisons.find((one) => one.outcome !== "equal");
    phases.say(`  ${result.name}: cut ${bad?.cut}: ${bad?.outcome} ${bad?.error ?? ""} ${bad?.reason ?? ""}`);
  }
  phases.say(`${models.equal} of ${models.total} equal, ${models.refused} refused, ${wrong.length} wrong.`);
  if (wrong.length === 0 && models.equal >= enough) return;
  throw new ExoError(
    "internal",
    `Cuts of ${wrong.join(", ") || "too many models"} are not what the whole model is: ` +
      `${models.equal} of ${models.total} are equal, at least ${enough} must be, and none may be wrong.`,
  );
}

await runBuildCommand(testArchitectures);
