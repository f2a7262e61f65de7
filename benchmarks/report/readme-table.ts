import { readFile } from "node:fs/promises";
import { spreadOf } from "../../src/core/statistics.js";
import { type Outcome, outcomeSchema, samplesOf } from "../outcome.js";
import { ratioOf } from "../ratio.js";

const COLUMNS = [
  { title: "prefill of 512", id: "prefill-512", figure: "prefill" },
  { title: "prefill of 2048", id: "prefill-2048", figure: "prefill" },
  { title: "decode, one stream", id: "decode-1", figure: "decode" },
  { title: "decode, four streams together", id: "decode-4", figure: "decode" },
  { title: "decode, eight streams together", id: "decode-8", figure: "decode" },
] as const;

const ROWS = [
  { title: "llama.cpp, one process, one thread", subject: "one" },
  { title: "ring of one node", subject: "ring-1" },
  { title: "ring of two nodes", subject: "ring-2" },
  { title: "llama.cpp RPC, two servers", subject: "rpc-2" },
  { title: "llama.cpp, one process, all cores", subject: "one-all-cores" },
] as const;

/** The README's table: tokens per second and, against the first row, the ratio. What was not measured is left out. */
export function readmeTable(outcome: Outcome): string {
  const columns = COLUMNS.filter(({ id, figure }) => samplesOf(outcome, id, "one", figure).length > 0);
  const rows = ROWS.map(({ title, subject }) => {
    const cells = columns.map(({ id, figure }) => cell(outcome, id, subject, figure));
    return { title, cells };
  }).filter(({ cells }) => cells.some((words) => words !== ""));
  const { id, quantisation } = outcome.model;
  return [
    `| ${id} ${quantisation}, tok/s | ${columns.map(({ title }) => title).join(" | ")} |`,
    `|---|${columns.map(() => "---|").join("")}`,
    ...rows.map(({ title, cells }) => `| ${title} | ${cells.join(" | ")} |`),
  ].join("\n");
}

function cell(outcome: Outcome, id: string, subject: string, figure: string): string {
  const samples = samplesOf(outcome, id, subject, figure);
  if (samples.length === 0) return "";
  const speed = spreadOf(samples).median.toFixed(1);
  if (subject === "one") return speed;
  return `${speed} (×${ratioOf(samples, samplesOf(outcome, id, "one", figure)).median.toFixed(2)})`;
}

/** Reads what a run wrote. Throws a sentence. */
async function readOutcome(file: string): Promise<Outcome> {
  try {
    return outcomeSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (thrown) {
    throw new Error(`${file} is not the JSON of a run of this benchmark; give a file of benchmarks/results.`, {
      cause: thrown,
    });
  }
}

async function printTables(files: readonly string[]): Promise<void> {
  for (const file of files) process.stdout.write(`${readmeTable(await readOutcome(file))}\n\n`);
}

if (process.argv[1] === import.meta.filename) {
  const files = process.argv.slice(2);
  if (files.length === 0) {
    process.stderr.write("usage: npm run bench:table -- benchmarks/results/FILE.json\n");
    process.exitCode = 2;
  }
  await printTables(files).catch((thrown: unknown) => {
    process.stderr.write(`error: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exitCode = 1;
  });
}
