import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join, relative } from "node:path";
import { packageRoot, packageVersion } from "../../src/core/package.js";
import { libraryInfo } from "../../src/native/load.js";
import type { Score } from "./score.js";
import type { Variant } from "./variants.js";

export interface QualityOutcome {
  readonly model: string;
  readonly quantisation: string;
  readonly text: { readonly name: string; readonly tokens: number };
  readonly results: readonly { readonly variant: Variant; readonly score: Score }[];
}

/** Writes `quality-<model>.json` and `.md` under benchmarks/results/. */
export async function saveQuality(outcome: QualityOutcome): Promise<{ markdown: string; files: readonly string[] }> {
  const directory = join(packageRoot(), "benchmarks", "results");
  const base = join(directory, `quality-${outcome.model}-${outcome.quantisation}`.toLowerCase());
  const { llama_tag, ggml_origin } = libraryInfo();
  const machine = {
    processor: cpus()[0]?.model ?? "unknown",
    exoNative: packageVersion(),
    llamaCpp: llama_tag,
    ggml: ggml_origin,
  };
  const markdown = toMarkdown(outcome);
  await mkdir(directory, { recursive: true });
  await writeFile(`${base}.json`, `${JSON.stringify({ machine, ...outcome }, null, 2)}\n`);
  await writeFile(`${base}.md`, `${markdown}\n`);
  return { markdown, files: [`${base}.json`, `${base}.md`].map((file) => relative(process.cwd(), file)) };
}

function toMarkdown({ model, quantisation, text, results }: QualityOutcome): string {
  return [
    `# Quality of ${model} ${quantisation}`,
    "",
    `Against the same model in one stage with an f16 KV cache, over ${text.tokens} tokens of ${text.name}. Divergence: ` +
      "Kullback-Leibler, in nats per token.",
    "",
    "| | mean divergence | p99 | largest | same first choice | perplexity |",
    "|---|---|---|---|---|---|",
    ...results.map(({ variant, score }) => row(variant, score)),
  ].join("\n");
}

function row({ name }: Variant, { divergence, sameChoice, perplexity }: Score): string {
  const { mean, p99, max } = divergence;
  const numbers = [mean, p99, max].map((nats) => (nats === 0 ? "0" : nats.toExponential(1)));
  const cells = [name, ...numbers, `${(sameChoice * 100).toFixed(2)} %`, perplexity.toFixed(4)];
  return `| ${cells.join(" | ")} |`;
}
