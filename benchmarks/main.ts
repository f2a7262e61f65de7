import { parseArgs } from "node:util";
import { loadConfig } from "../src/config/load.js";
import { ModelStore } from "../src/model/model-store.js";
import { runCases } from "./cases.js";
import { buildPeers } from "./peers/build.js";
import { saveReport } from "./report.js";

const HELP = `Measures this machine: llama.cpp's own benchmark, a ring of one node and a ring of two, in turn.

npm run bench -- [options]
  --model SPEC     what to run (default: tinyllama)
  --repeats N      how often each is measured (default: 5; with --quick: 2)
  --prompt N       prompt tokens of the prefill case (default: 512)
  --generate N     tokens of the decode case (default: 64)
  --quick          ends inside two minutes
`;

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "tinyllama" },
    repeats: { type: "string" },
    prompt: { type: "string", default: "512" },
    generate: { type: "string", default: "64" },
    quick: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(HELP);
} else {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const { paths } = await loadConfig();
  const model = await new ModelStore({ modelsDir: paths.modelsDir }).resolve(values.model, {});
  const peers = await buildPeers();
  const outcome = await runCases({
    model,
    peers,
    repeats: Number(values.repeats ?? (values.quick ? 2 : 5)),
    promptTokens: Number(values.prompt),
    generatedTokens: Number(values.generate),
    say,
  });
  const { markdown, files } = await saveReport(outcome);
  process.stdout.write(`\n${markdown}\n`);
  say(`Saved: ${files.join(", ")}`);
}
