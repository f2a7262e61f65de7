import { parseArgs } from "node:util";
import { loadConfig } from "../src/config/load.js";
import { ModelStore } from "../src/model/model-store.js";
import { runCases } from "./cases.js";
import { buildPeers } from "./peers/build.js";
import { saveReport } from "./report.js";

const HELP = `Measures this machine: llama.cpp's own benchmarks and rings of nodes, in turn.

npm run bench -- [options]
  --model SPEC     what to run (default: tinyllama)
  --repeats N      how often each is measured (default: 5; with --quick: 2)
  --prompt N       prompt tokens of the prefill case (default: 512)
  --generate N     tokens of the decode cases (default: 64)
  --streams LIST   numbers of streams to decode at once besides one (default: 2,4,8; with --quick: 4)
  --rings LIST     sizes of rings (default: 1,2)
  --quick          ends inside two minutes
`;

function numbers(list: string): number[] {
  return list.split(",").filter(Boolean).map(Number);
}

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "tinyllama" },
    repeats: { type: "string" },
    prompt: { type: "string", default: "512" },
    generate: { type: "string", default: "64" },
    streams: { type: "string" },
    rings: { type: "string", default: "1,2" },
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
    streams: numbers(values.streams ?? (values.quick ? "4" : "2,4,8")),
    rings: numbers(values.rings),
    say,
  });
  const { markdown, files } = await saveReport(outcome);
  process.stdout.write(`\n${markdown}\n`);
  say(`Saved: ${files.join(", ")}`);
}
