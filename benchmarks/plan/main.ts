import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { findPinning } from "../host/pinning.js";
import { countOf, runScript, UsageFault } from "../script.js";
import { ARRANGEMENTS, type Arrangement } from "./arrangements.js";
import { type Performance, PlannedNodes } from "./planned-nodes.js";

const HELP = `What plans predict against what rings do, and the planner's cut against others.

npm run bench:plan -- [options]
  --model SPEC    what to plan (default: tinyllama)
  --layers N      layers of the model, for --cuts (default: 22)
  --repeats N     measurements of each ring; the best counts (default: 3)
  --only N        only the arrangement of this number, 1 to ${ARRANGEMENTS.length}
  --cuts N        of rings of two: measure every N-th cut, with either head; 0: none (default: 0)
`;

interface Settings {
  readonly model: string;
  readonly layers: number;
  readonly repeats: number;
  /** 0: only what the planner chose. */
  readonly cuts: number;
}

async function check(arrangement: Arrangement, { model, layers, repeats, cuts }: Settings): Promise<void> {
  const nodes = await PlannedNodes.start(model, arrangement, findPinning());
  try {
    const plan = await nodes.plan();
    const seen = await nodes.measure(plan.layers, repeats);
    row(arrangement.title, plan.layers, plan, seen);
    if (cuts === 0 || arrangement.threads.length !== 2) return;
    let best = seen.decodeTokensPerSecond;
    for (const [head, other] of [nodes.names, nodes.names.toReversed()]) {
      for (let cut = 1; cut < layers; cut += cuts) {
        const byHand = `0-${cut}@${head},${cut}-${layers}@${other}`;
        const tried = await nodes.measure(byHand, repeats);
        row("", byHand, await nodes.plan(byHand), tried);
        best = Math.max(best, tried.decodeTokensPerSecond);
      }
    }
    const share = (seen.decodeTokensPerSecond / best) * 100;
    process.stdout.write(`\nThe planner's choice decodes at ${share.toFixed(1)} % of the best that was tried.\n\n`);
  } finally {
    await nodes.close();
  }
}

function row(title: string, layers: string, predicted: Performance, seen: Performance): void {
  const cells = [
    title,
    layers,
    compared(predicted.decodeTokensPerSecond, seen.decodeTokensPerSecond, 1),
    compared(predicted.ttftSeconds, seen.ttftSeconds, 2),
  ];
  process.stdout.write(`| ${cells.join(" | ")} |\n`);
}

function compared(predicted: number, seen: number, digits: number): string {
  const error = Math.round((predicted / seen - 1) * 100);
  return `${predicted.toFixed(digits)} / ${seen.toFixed(digits)} (${error >= 0 ? "+" : ""}${error} %)`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string", default: "tinyllama" },
      layers: { type: "string", default: "22" },
      repeats: { type: "string", default: "3" },
      only: { type: "string" },
      cuts: { type: "string", default: "0" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const only = values.only === undefined ? null : countOf(values.only, "--only");
  if (only !== null && only > ARRANGEMENTS.length) {
    throw new UsageFault(`--only ${only}: there are ${ARRANGEMENTS.length} arrangements.`);
  }
  const settings = {
    // Nodes run elsewhere; a path means the same file for all.
    model: values.model.endsWith(".gguf") && !values.model.includes(":") ? resolve(values.model) : values.model,
    layers: countOf(values.layers, "--layers"),
    repeats: countOf(values.repeats, "--repeats"),
    cuts: values.cuts === "0" ? 0 : countOf(values.cuts, "--cuts"),
  };
  process.stdout.write(
    "| | layers | decode tok/s, predicted / measured | TTFT of 512 tokens, s, predicted / measured |\n|---|---|---|---|\n",
  );
  for (const [index, arrangement] of ARRANGEMENTS.entries()) {
    if (only === null || only === index + 1) await check(arrangement, settings);
  }
}

await runScript(main);
