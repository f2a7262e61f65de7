import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { loadConfig } from "../../src/config/load.js";
import { packageRoot } from "../../src/core/package.js";
import { ModelStore } from "../../src/model/model-store.js";
import type { ResolvedModel } from "../../src/model/resolved-model.js";
import { usableCores } from "../../src/native/devices.js";
import { countOf, runScript } from "../script.js";
import { CutModel } from "./cut-model.js";
import { saveQuality } from "./report.js";
import { type Opinion, opinionOf, scoreOf } from "./score.js";
import { EXACT, type Variant, variantsFor } from "./variants.js";

const HELP = `What wire types and KV cache types cost in quality: a model cut into stages against the model in one.

npm run bench:quality -- [options]
  --model SPEC   what to run (default: tinyllama); may be given more than once
  --text FILE    text to judge by (default: the beginning of Alice's Adventures in Wonderland)
  --tokens N     how much of it (default: 1024)
  --threads N    (default: one per core)
`;

interface Run {
  readonly model: ResolvedModel;
  readonly text: string;
  readonly limit: number;
  readonly threads: number;
}

async function opinion(run: Run, variant: Variant): Promise<{ readonly opinion: Opinion; readonly tokens: number }> {
  const { model, limit, threads } = run;
  const cut = await CutModel.load({
    modelPath: model.path,
    layerCount: model.info.layerCount,
    variant,
    threads,
    contextSize: limit,
  });
  try {
    const tokens = [...cut.first.tokenizer.encode(run.text, { addSpecial: true })].slice(0, limit);
    return { opinion: await opinionOf(cut, tokens), tokens: tokens.length };
  } finally {
    await cut.close();
  }
}

async function measure(run: Run, textName: string): Promise<void> {
  const { id, info } = run.model;
  const exact = await opinion(run, EXACT);
  const results = [{ variant: EXACT, score: scoreOf(exact.opinion, exact.opinion) }];
  for (const variant of variantsFor(info.embeddingSize, info.embeddingSize / Math.max(1, info.headCount))) {
    const other = await opinion(run, variant);
    const score = scoreOf(exact.opinion, other.opinion);
    process.stderr.write(
      `${id}, ${variant.name}: divergence ${score.divergence.mean}, perplexity ${score.perplexity}\n`,
    );
    results.push({ variant, score });
  }
  const text = { name: textName, tokens: exact.tokens };
  const { markdown, files } = await saveQuality({ model: id, quantisation: info.quantisation, text, results });
  process.stdout.write(`${markdown}\n\n`);
  process.stderr.write(`Saved: ${files.join(", ")}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string", multiple: true, default: ["tinyllama"] },
      text: { type: "string", default: join(packageRoot(), "benchmarks", "texts", "alice.txt") },
      tokens: { type: "string", default: "1024" },
      threads: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const limit = countOf(values.tokens, "--tokens");
  const threads = values.threads === undefined ? usableCores().length : countOf(values.threads, "--threads");
  const { paths } = await loadConfig();
  const text = await readFile(values.text, "utf8");
  const store = new ModelStore({ modelsDir: paths.modelsDir });
  for (const spec of values.model) {
    await measure({ model: await store.resolve(spec, {}), text, limit, threads }, basename(values.text));
  }
}

await runScript(main);
