import { parseArgs } from "node:util";
import { loadConfig } from "../../src/config/load.js";
import { spreadOf } from "../../src/core/statistics.js";
import { ModelStore } from "../../src/model/model-store.js";
import type { ResolvedModel } from "../../src/model/resolved-model.js";
import { buildPeers } from "../peers/build.js";
import { countOf, countsOf, runScript, UsageFault } from "../script.js";
import { benchDecode, benchPrefill, type LlamaBenchSettings } from "../subjects/llama-bench.js";
import { type Speed, StageSpeed, type StageSpeedOptions } from "./stage-speed.js";

const HELP = `A stage that holds the whole model against llama.cpp's own llama-bench, in turn.

npm run bench:stage -- [options]
  --model SPEC     what to run (default: tinyllama)
  --threads LIST   (default: 1,2)
  --repeats N      (default: 5)
  --prompt N       (default: 512)
  --generate N     (default: 64)
  --flash MODE     on or off (default: on)
`;

const UBATCH = 128;
const PEER_TIMEOUT_MS = 600_000;

/** llama.cpp's own benchmark with the settings of the stage. */
async function llamaBench(peersDirectory: string, options: StageSpeedOptions): Promise<Speed> {
  const { modelPath, threads, ubatch, promptTokens, generatedTokens, flashAttention } = options;
  const signal = new AbortController().signal;
  const run = { peersDirectory, before: [], timeout: PEER_TIMEOUT_MS, signal };
  const settings: LlamaBenchSettings = { ...run, modelPath, threads, ubatch, flashAttention, rpc: [] };
  return {
    prefill: await benchPrefill(settings, promptTokens),
    decode: await benchDecode(settings, generatedTokens),
  };
}

/** One line of the table for prompts, one for tokens. */
async function compare(
  peers: string,
  repeats: number,
  model: ResolvedModel,
  options: StageSpeedOptions,
): Promise<void> {
  const stage = await StageSpeed.load(options);
  const ours: Speed[] = [];
  const theirs: Speed[] = [];
  try {
    await stage.measure();
    for (let round = 0; round < repeats; round += 1) {
      ours.push(await stage.measure());
      theirs.push(await llamaBench(peers, options));
    }
  } finally {
    await stage.close();
  }
  for (const what of ["prefill", "decode"] as const) {
    const a = spreadOf(ours.map((speed) => speed[what])).median;
    const b = spreadOf(theirs.map((speed) => speed[what])).median;
    const numbers = [a.toFixed(1), b.toFixed(1), (a / b).toFixed(3)].join(" | ");
    process.stdout.write(`| ${model.id} ${model.info.quantisation} | ${options.threads} | ${what} | ${numbers} |\n`);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string", default: "tinyllama" },
      threads: { type: "string", default: "1,2" },
      repeats: { type: "string", default: "5" },
      prompt: { type: "string", default: "512" },
      generate: { type: "string", default: "64" },
      flash: { type: "string", default: "on" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { flash } = values;
  if (flash !== "on" && flash !== "off") throw new UsageFault(`Expected on or off for --flash, received "${flash}".`);
  const threadCounts = countsOf(values.threads, "--threads");
  const repeats = countOf(values.repeats, "--repeats");
  const tokens = {
    promptTokens: countOf(values.prompt, "--prompt"),
    generatedTokens: countOf(values.generate, "--generate"),
  };
  const { paths } = await loadConfig();
  const model = await new ModelStore({ modelsDir: paths.modelsDir }).resolve(values.model, {});
  const whole = {
    modelPath: model.path,
    layerCount: model.info.layerCount,
    ubatch: UBATCH,
    flashAttention: flash,
  } as const;
  const peers = await buildPeers();
  process.stdout.write("| model | threads | | stage, tokens/s | llama-bench | ratio |\n|---|---|---|---|---|---|\n");
  for (const threads of threadCounts) await compare(peers, repeats, model, { ...whole, ...tokens, threads });
}

await runScript(main);
