import { parseArgs } from "node:util";
import { loadConfig } from "../../src/config/load.js";
import { spreadOf } from "../../src/core/statistics.js";
import { ModelStore } from "../../src/model/model-store.js";
import { countOf, runScript, UsageFault } from "../script.js";
import { killOnce, type Recovery } from "./kill.js";
import { SCENARIOS, type Scenario } from "./scenarios.js";

const HELP = `How long a ring takes to answer again after one of its nodes was killed in the middle of an answer.

npm run bench:recovery -- [options]
  --model SPEC    (default: tinyllama)
  --runs N        kills of each kind; medians are told (default: 5)
  --prompt N      words of the prompt that is computed again (default: 200)
  --only ID       one of ${SCENARIOS.map(({ id }) => id).join(", ")}
`;

const WORDS = "the ring of nodes passes hidden states from one machine to the next until the answer is whole".split(
  " ",
);

const print = (text: string): void => void process.stdout.write(text);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string", default: "tinyllama" },
      runs: { type: "string", default: "5" },
      prompt: { type: "string", default: "200" },
      only: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    print(HELP);
    return;
  }
  const chosen = SCENARIOS.filter(({ id }) => values.only === undefined || values.only === id);
  if (chosen.length === 0) throw new UsageFault(`There is no ${values.only}.`);
  const runs = countOf(values.runs, "--runs");
  const words = countOf(values.prompt, "--prompt");
  const prompt = Array.from({ length: words }, (_, index) => WORDS[index % WORDS.length]).join(" ");
  const { paths } = await loadConfig({ flags: {} });
  const { path } = await new ModelStore({ modelsDir: paths.modelsDir }).resolve(values.model);
  print(HEADING);
  for (const scenario of chosen) {
    const recoveries: Recovery[] = [];
    for (let run = 0; run < runs; run += 1) recoveries.push(await killOnce(scenario, path, prompt));
    print(row(scenario, recoveries));
  }
}

const HEADING = `| what is lost | detected | planned | loaded | next token | in all | stages that stayed | stream |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |
`;

/** Each step by itself, and all of them; medians in milliseconds. */
function row({ title }: Scenario, recoveries: readonly Recovery[]): string {
  const step = (from: keyof Recovery | null, to: keyof Recovery): string => {
    const taken = recoveries.flatMap((one) => {
      const [begin, end] = [from === null ? 0 : one[from], one[to]];
      return typeof begin === "number" && typeof end === "number" ? [end - begin] : [];
    });
    return taken.length === 0 ? "" : `${Math.round(spreadOf(taken).median)} ms`;
  };
  const [first] = recoveries;
  const stayed = first === undefined ? "" : `${first.kept} of ${first.stages}`;
  const stream = recoveries.every(({ sameStream }) => sameStream) ? "goes on" : "asked again";
  const cells = [
    title,
    step(null, "detected"),
    step("detected", "planned"),
    step("planned", "ready"),
    step("ready", "token"),
    step(null, "token"),
    stayed,
    stream,
  ];
  return `| ${cells.join(" | ")} |\n`;
}

await runScript(main);
