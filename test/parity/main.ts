/** `npm run test:parity`: our answers against the recorded ones. With `-- --record`: records those of llama-server anew. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPeers } from "../../benchmarks/peers/build.js";
import { packageRoot } from "../../src/core/package.js";
import { readLock } from "../../vendor/lock.js";
import { ask } from "./ask.js";
import { closestChoice } from "./closest-choice.js";
import { LlamaServer } from "./llama-server.js";
import { PARITY_MODELS, type ParityModel, writeParityModel } from "./models.js";
import { type Recording, writeRecorded } from "./recorded.js";
import { SHAPES } from "./shapes.js";

/** Closer than this the two best tokens may change places on another kind of processor. Natural logarithm. */
const TOO_CLOSE = 0.01;

async function record(): Promise<void> {
  const executable = join(await buildPeers("llama-server"), "llama-server");
  const directory = mkdtempSync(join(tmpdir(), "exo-native-parity-"));
  try {
    const recorded: Recording[] = [];
    for (const model of PARITY_MODELS) recorded.push(...(await recordModel(executable, directory, model)));
    const inOrder = SHAPES.flatMap(({ name }) => recorded.filter((one) => one.name === name));
    writeRecorded({ llamaTag: (await readLock(packageRoot())).llamaCpp.tag, recordings: inOrder });
    console.log(`${inOrder.length} answers recorded.`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function recordModel(executable: string, directory: string, model: ParityModel): Promise<Recording[]> {
  const server = await LlamaServer.start(executable, writeParityModel(directory, model));
  try {
    const recorded: Recording[] = [];
    for (const shape of SHAPES.filter((one) => one.model === model)) {
      const gap = await closestChoice(server.url, shape);
      if (gap < TOO_CLOSE) console.warn(`${shape.name}: two tokens are ${gap} apart; change the prompt.`);
      recorded.push({ name: shape.name, body: { ...shape.body }, outcome: await ask(server.url, shape) });
    }
    return recorded;
  } finally {
    await server.stop();
  }
}

if (process.argv.includes("--record")) await record();
else {
  const run = spawnSync(process.execPath, [join(packageRoot(), "dist", "test", "run.js"), "parity"], {
    stdio: "inherit",
  });
  process.exitCode = run.status ?? 1;
}
