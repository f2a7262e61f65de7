import { parseArgs } from "node:util";
import { loadConfig } from "../../src/config/load.js";
import { ModelStore } from "../../src/model/model-store.js";
import type { ResolvedModel } from "../../src/model/resolved-model.js";
import type { StageOptions } from "../../src/native/stage-options.js";
import { countsOf, runScript } from "../script.js";
import { ModelUnderTest } from "./model-under-test.js";
import { describeDifference, difference } from "./same-bits.js";

const HELP = `Whether a token's logits depend on what is computed beside it, bit by bit.

npm run bench:shapes -- [options]
  --model SPEC     what to run (default: tinyllama); may be given more than once
  --threads LIST   (default: 1,2)
`;

const CHUNKS = [1, 2, 3, 4, 8, 16, 32, 64];
const SEQUENCES = [2, 3, 4, 5, 8, 16];

type Way = Pick<StageOptions, "threads" | "flashAttention">;

/** With the first number of threads. */
interface Reference {
  readonly threads: number;
  readonly whole: Float32Array;
  readonly alone: Float32Array;
}

/** Tells every comparison; returns what other numbers of threads are held against. */
async function compare(model: ResolvedModel, way: Way, reference: Reference | null): Promise<Reference> {
  const under = await ModelUnderTest.load(model.path, model.info.layerCount, way);
  const say = (what: string, a: Float32Array, b: Float32Array): void => {
    const where = `${model.id} ${model.info.quantisation} | flash ${way.flashAttention}, threads ${way.threads}`;
    process.stdout.write(`| ${where} | ${what} | ${describeDifference(difference(a, b))} |\n`);
  };
  try {
    const whole = await under.prompt(128);
    say("prompt of 128 again", whole, await under.prompt(128));
    for (const chunk of CHUNKS) say(`prompt in chunks of ${chunk}, not 128`, whole, await under.prompt(chunk));
    const alone = await under.token(1);
    for (const count of SEQUENCES) say(`token among ${count} sequences, not alone`, alone, await under.token(count));
    if (reference !== null) {
      say(`prompt of 128 with other threads than ${reference.threads}`, reference.whole, whole);
      say(`token with other threads than ${reference.threads}`, reference.alone, alone);
    }
    return { threads: way.threads ?? 1, whole, alone };
  } finally {
    await under.close();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string", multiple: true, default: ["tinyllama"] },
      threads: { type: "string", default: "1,2" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const threadCounts = countsOf(values.threads, "--threads");
  const { paths } = await loadConfig();
  const store = new ModelStore({ modelsDir: paths.modelsDir });
  const models = await Promise.all(values.model.map((spec) => store.resolve(spec, {})));
  process.stdout.write("| model | computed with | what changes | logits |\n|---|---|---|---|\n");
  for (const model of models) {
    for (const flashAttention of ["on", "off"] as const) {
      let reference: Reference | null = null;
      for (const threads of threadCounts) {
        const here = await compare(model, { threads, flashAttention }, reference);
        reference ??= here;
      }
    }
  }
}

await runScript(main);
