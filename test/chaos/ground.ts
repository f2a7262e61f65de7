import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChaosCluster } from "./cluster.js";
import { loopbackNetwork, type Network, namespaceNetwork } from "./network.js";
import type { ChaosOptions } from "./options.js";
import { makeQuestions, referencesFor } from "./questions.js";
import { type Ground, probeOf, referenceFor } from "./round.js";

const QUESTIONS = 12;
const START_LIMIT = 120_000;
/** The text does not matter as long as it stays the same. */
const QUESTION_SEED = 7;

export interface Prepared {
  readonly ground: Ground;
  /** Ends every node and starts all anew. */
  readonly again: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** A whole cluster, and the answers that it gives undisturbed. */
export async function prepare(options: ChaosOptions): Promise<Prepared> {
  const directory = mkdtempSync(join(tmpdir(), "exo-chaos-"));
  const network = await networkFor(options, directory);
  const cluster = new ChaosCluster({ network, model: options.model, directory, ringNodes: 2 });
  const close = async (): Promise<void> => {
    await cluster.stop();
    await network.close();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    cluster.start();
    const ground = await groundOn(cluster, network, options);
    const again = async (): Promise<void> => {
      network.wire?.mend();
      await cluster.stop();
      cluster.start();
      await whole(ground);
    };
    return { ground, again, close };
  } catch (thrown) {
    for (const { name, log } of cluster.nodes) process.stderr.write(`--- ${name}\n${log.slice(-3000)}\n`);
    await close();
    throw thrown;
  }
}

function networkFor({ nodes, middle }: ChaosOptions, directory: string): Promise<Network> {
  const names = Array.from({ length: nodes }, (_, index) => `n${index + 1}`);
  return middle === null ? loopbackNetwork(names) : namespaceNetwork(middle, names, directory);
}

async function groundOn(cluster: ChaosCluster, network: Network, options: ChaosOptions): Promise<Ground> {
  const questions = makeQuestions(QUESTIONS, QUESTION_SEED);
  const [first] = cluster.nodes;
  if (first === undefined) throw new Error("There are no nodes.");
  const model = await ready(cluster);
  const ground = {
    cluster,
    wire: network.wire,
    modelPath: options.model,
    model,
    questions,
    references: await referencesFor(questions, first.url, model),
    mostStreams: options.streams,
    only: options.only,
  };
  await whole(ground);
  return ground;
}

async function whole(ground: Ground): Promise<void> {
  const probe = probeOf(ground);
  await ground.cluster.whole(probe, referenceFor(ground, probe), START_LIMIT);
}

async function ready(cluster: ChaosCluster): Promise<string> {
  const deadline = performance.now() + START_LIMIT;
  for (;;) {
    try {
      return await cluster.model();
    } catch (thrown) {
      if (performance.now() > deadline) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
