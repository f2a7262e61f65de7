import { mkdir, writeFile } from "node:fs/promises";
import { cpus, release, totalmem, type } from "node:os";
import { join, relative } from "node:path";
import { packageRoot, packageVersion } from "../src/core/package.js";
import { libraryInfo } from "../src/native/load.js";
import type { CaseResult, Outcome } from "./cases.js";

/** Writes `<model>.json` with every sample and `<model>.md` with the table under benchmarks/results/. */
export async function saveReport(outcome: Outcome): Promise<{ markdown: string; files: readonly string[] }> {
  const directory = join(packageRoot(), "benchmarks", "results");
  const base = join(directory, `${outcome.model.id}-${outcome.model.quantisation}`.toLowerCase());
  const fingerprint = machine();
  const markdown = toMarkdown(outcome, fingerprint);
  await mkdir(directory, { recursive: true });
  await writeFile(`${base}.json`, `${JSON.stringify({ machine: fingerprint, ...outcome }, null, 2)}\n`);
  await writeFile(`${base}.md`, `${markdown}\n`);
  const files = [`${base}.json`, `${base}.md`].map((file) => relative(process.cwd(), file));
  return { markdown, files };
}

function machine() {
  const processors = cpus();
  const { llama_tag, ggml_origin } = libraryInfo();
  return {
    date: new Date().toISOString(),
    processor: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.version,
    exoNative: packageVersion(),
    llamaCpp: llama_tag,
    ggml: ggml_origin,
  };
}

function toMarkdown(outcome: Outcome, host: ReturnType<typeof machine>): string {
  const [baseline] = outcome.results;
  const names = Object.keys(baseline?.measures ?? {});
  const rows = outcome.results.map(
    (result) => `| ${result.name} | ${names.map((name) => cell(result, baseline, name)).join(" | ")} |`,
  );
  return [
    `# ${outcome.model.id} ${outcome.model.quantisation}`,
    "",
    `${host.processor}, ${host.cores} cores, ${host.system}, Node ${host.node}; exo-native ${host.exoNative}, ` +
      `llama.cpp ${host.llamaCpp} (ggml ${host.ggml}); ${host.date}`,
    "",
    `Prefill of ${outcome.promptTokens} tokens in chunks of ${outcome.ubatch}; decode of ${outcome.generatedTokens} tokens ` +
      "from an empty context, by one stream and by several at once (then of all together). Tokens per second: median " +
      "(lowest to highest) of the rounds; × is against the first row.",
    "",
    `| | ${names.join(" | ")} |`,
    `|---|${names.map(() => "---|").join("")}`,
    ...rows,
  ].join("\n");
}

function cell(result: CaseResult, baseline: CaseResult | undefined, name: string): string {
  const measured = result.measures[name];
  const reference = baseline?.measures[name];
  if (measured === undefined || reference === undefined) return "";
  const { median, min, max } = measured;
  const times = result === baseline ? "" : ` **×${(median / reference.median).toFixed(2)}**`;
  return `${median.toFixed(1)} (${min.toFixed(1)}–${max.toFixed(1)})${times}`;
}
