import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadConfig } from "../../src/config/load.js";
import { packageRoot } from "../../src/core/package.js";
import { ModelStore } from "../../src/model/model-store.js";
import { findPinning } from "../host/pinning.js";
import { countOf, runScript, UsageFault } from "../script.js";
import { ARRANGEMENTS, type Arrangement } from "./arrangements.js";
import { compare, foresee, messageOf, type Tried } from "./comparison.js";
import { FreshNodes } from "./fresh-nodes.js";
import type { Plan } from "./planned-nodes.js";
import {
  CHECKED_HEADING,
  type Checked,
  type Compared,
  checkedRow,
  TRIED_HEADING,
  toMarkdown,
  triedRow,
  verdict,
} from "./report.js";

const HELP = `What plans predict against what rings do, and the planner's choice against others.

npm run bench:plan -- [options]
  --model SPEC    what to plan (default: tinyllama)
  --rounds N      measurements of each planned ring; the best counts (default: 3)
  --only N        only the arrangement of this number, 1 to ${ARRANGEMENTS.length}
  --brute         with two nodes and with three of which one has more threads: measure other placements too
  --step N        of those, cut after every N-th layer of two nodes, every N+2-th of three (default: 3)
  --save          write benchmarks/results/plan-<model>.md
`;

/** Answers of each ring that is compared. */
const COMPARED_ROUNDS = 2;

interface Run {
  readonly path: string;
  readonly layers: number;
  readonly rounds: number;
  /** `null`: nothing is compared. */
  readonly step: number | null;
}

const print = (text: string): void => void process.stdout.write(text);

async function check(nodes: FreshNodes, { title }: Arrangement, plan: Plan, { rounds }: Run): Promise<Checked> {
  try {
    return { title, plan, seen: await nodes.use((now) => now.measure(plan.layers, rounds)), failure: null };
  } catch (thrown) {
    return { title, plan, seen: null, failure: messageOf(thrown) };
  }
}

/** What is foreseen of the planner's choice and of others; `null` where nothing is to be compared. */
async function foreseenOf(nodes: FreshNodes, { threads, compared }: Arrangement, planned: string, run: Run) {
  if (run.step === null || !compared) return null;
  const step = threads.length > 2 ? run.step + 2 : run.step;
  return { step, foreseen: await foresee(nodes, { planned, layers: run.layers, step }) };
}

/** Prints as it goes, for a run that is stopped. */
async function compareOthers(
  nodes: FreshNodes,
  title: string,
  planned: string,
  { step, foreseen }: NonNullable<Awaited<ReturnType<typeof foreseenOf>>>,
): Promise<Compared> {
  print(`\n${TRIED_HEADING}`);
  const onTried = (tried: Tried): void => print(triedRow(tried));
  const tried = await compare(nodes, foreseen, { planned, rounds: COMPARED_ROUNDS, onTried });
  print(`\n${verdict({ title, step, tried })}\n\n`);
  return { title, step, tried };
}

/** A failure is one row's: the next arrangement has nodes of its own. */
async function checkOne(arrangement: Arrangement, run: Run): Promise<readonly [Checked, Compared | null]> {
  const { title } = arrangement;
  const nodes = new FreshNodes(run.path, arrangement, findPinning());
  let checked: Checked = { title, plan: null, seen: null, failure: "it could not be planned" };
  try {
    const plan = await nodes.use((now) => now.plan());
    const foreseen = await foreseenOf(nodes, arrangement, plan.layers, run);
    checked = await check(nodes, arrangement, plan, run);
    print(checkedRow(checked));
    return [checked, foreseen && (await compareOthers(nodes, title, plan.layers, foreseen))];
  } catch (thrown) {
    print(`\n${title}: ${messageOf(thrown)}\n\n`);
    return [{ ...checked, failure: messageOf(thrown) }, null];
  } finally {
    await nodes.close().catch(() => {});
  }
}

async function checkAll(arrangements: readonly Arrangement[], run: Run) {
  const checked: Checked[] = [];
  const compared: Compared[] = [];
  print(CHECKED_HEADING);
  for (const arrangement of arrangements) {
    const [one, others] = await checkOne(arrangement, run);
    checked.push(one);
    if (others !== null) compared.push(others);
  }
  return { checked, compared };
}

function chosenArrangements(only: string | undefined): readonly Arrangement[] {
  if (only === undefined) return ARRANGEMENTS;
  const arrangement = ARRANGEMENTS[countOf(only, "--only") - 1];
  if (arrangement !== undefined) return [arrangement];
  throw new UsageFault(`--only ${only}: there are ${ARRANGEMENTS.length} arrangements.`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string", default: "tinyllama" },
      rounds: { type: "string", default: "3" },
      only: { type: "string" },
      brute: { type: "boolean", default: false },
      step: { type: "string", default: "3" },
      save: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    print(HELP);
    return;
  }
  const arrangements = chosenArrangements(values.only);
  const rounds = countOf(values.rounds, "--rounds");
  const step = countOf(values.step, "--step");
  const { paths } = await loadConfig();
  // Nodes that have caches of their own get the file of this process.
  const model = await new ModelStore({ modelsDir: paths.modelsDir }).resolve(values.model);
  const run = { path: model.path, layers: model.info.layerCount, rounds, step: values.brute ? step : null };
  const { checked, compared } = await checkAll(arrangements, run);
  if (checked.some(({ failure }) => failure !== null)) process.exitCode = 1;
  if (!values.save) return;
  const name = [model.id.toLowerCase(), model.info.quantisation.toLowerCase()];
  const directory = join(packageRoot(), "benchmarks", "results");
  await mkdir(directory, { recursive: true });
  const file = join(directory, `plan-${name.join("-")}.md`);
  await writeFile(file, toMarkdown({ model: name.join(" "), rounds }, checked, compared));
  print(`\nSaved ${file}\n`);
}

await runScript(main);
