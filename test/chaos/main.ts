import { fileURLToPath } from "node:url";
import { prepare } from "./ground.js";
import { runInMiddle } from "./inside-network.js";
import { LeakWatch } from "./leaks.js";
import { type ChaosOptions, readOptions, seedOf } from "./options.js";
import { roundLine, saveReport, summaryTable } from "./report.js";
import { type RoundResult, runRound } from "./round.js";

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** `npm run test:chaos`: one random fault after the other, and whether everything stayed true. Returns the exit code. */
async function chaos(options: ChaosOptions): Promise<number> {
  const seeds =
    options.faultSeed === null
      ? Array.from({ length: options.faults }, (_, at) => seedOf(options.seed, at))
      : [options.faultSeed];
  const { ground, again, close } = await prepare(options);
  const leaks = new LeakWatch(0);
  const results: RoundResult[] = [];
  let asked = false;
  process.once("SIGINT", () => {
    asked = true;
  });
  try {
    leaks.look(await ground.cluster.usage());
    for (const [at, seed] of seeds.entries()) {
      if (asked) break;
      const round = await runRound(ground, seed);
      const grown = leaks.look(await ground.cluster.usage());
      const result = { ...round, violations: [...round.violations, ...grown] };
      results.push(result);
      say(roundLine(result, at + 1, seeds.length));
      for (const violation of result.violations) say(`    VIOLATION: ${violation}`);
      if (round.wholeMs === null) await again();
    }
    for (const line of leaks.summary()) say(line);
  } finally {
    await close();
  }
  return conclude(options, results);
}

function conclude({ save, seed, nodes }: ChaosOptions, results: readonly RoundResult[]): number {
  const violations = results.reduce((sum, result) => sum + result.violations.length, 0);
  say(`\n${summaryTable(results)}\n`);
  say(`${results.length} faults, ${violations} violations`);
  if (save !== null) saveReport(save, `Chaos: ${results.length} faults, ${nodes} nodes, seed ${seed}`, results);
  return violations === 0 ? 0 : 1;
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  const outside = options.middle === null && !options.loopback;
  const code = outside ? await runInMiddle(fileURLToPath(import.meta.url), args) : null;
  return code ?? chaos(options);
}

process.exitCode = await main(process.argv.slice(2));
