import type { ResolvedModel } from "../src/model/resolved-model.js";
import { runLlamaBench } from "./peers/llama-bench.js";
import { RingUnderTest } from "./ring-under-test.js";
import { type Spread, spreadOf } from "./statistics.js";

export interface CaseOptions {
  readonly model: ResolvedModel;
  /** Directory of the peers' executables. */
  readonly peers: string;
  readonly repeats: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly say: (line: string) => void;
}

/** Tokens per second of one way to run the model. */
export interface CaseResult {
  readonly name: string;
  readonly prefill: Spread;
  readonly decode: Spread;
}

export interface Outcome {
  readonly model: { readonly id: string; readonly quantisation: string; readonly bytes: number };
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly ubatch: number;
  readonly results: readonly CaseResult[];
}

const UBATCH = 128;
const CONTEXT = 2048;

interface Contender {
  readonly name: string;
  measure(): Promise<{ prefill: number; decode: number }>;
  stop(): Promise<void>;
}

/**
 * Measures every contender once per repeat, in turn, so that a machine whose speed drifts slows all alike; the first
 * round only warms up. One thread per node, each node on its own processor; the baseline has the threads of one node.
 */
export async function runCases(options: CaseOptions): Promise<Outcome> {
  const contenders = [llamaBench(options), await ring(options, 1), await ring(options, 2)];
  const samples = contenders.map(() => ({ prefill: [] as number[], decode: [] as number[] }));
  try {
    for (let round = 0; round <= options.repeats; round += 1) {
      for (const [index, contender] of contenders.entries()) {
        const { prefill, decode } = await contender.measure();
        options.say(
          `${label(round)} ${contender.name}: prefill ${prefill.toFixed(1)}, decode ${decode.toFixed(2)} tok/s`,
        );
        if (round === 0) continue;
        samples[index]?.prefill.push(prefill);
        samples[index]?.decode.push(decode);
      }
    }
  } finally {
    for (const contender of contenders) await contender.stop();
  }
  const { id, bytes, info } = options.model;
  return {
    model: { id, bytes, quantisation: info.quantisation },
    promptTokens: options.promptTokens,
    generatedTokens: options.generatedTokens,
    ubatch: UBATCH,
    results: contenders.map(({ name }, index) => ({
      name,
      prefill: spreadOf(samples[index]?.prefill ?? []),
      decode: spreadOf(samples[index]?.decode ?? []),
    })),
  };
}

function label(round: number): string {
  return round === 0 ? "warm-up" : `round ${round}`;
}

function llamaBench({ peers, model, promptTokens, generatedTokens }: CaseOptions): Contender {
  const settings = { modelPath: model.path, threads: 1, ubatch: UBATCH, promptTokens, generatedTokens, cpus: [0] };
  return { name: "llama-bench, 1 thread", measure: () => runLlamaBench(peers, settings), stop: async () => {} };
}

async function ring({ model, promptTokens, generatedTokens }: CaseOptions, nodes: number): Promise<Contender> {
  const under = await RingUnderTest.start({
    modelPath: model.path,
    nodes,
    threadsPerNode: 1,
    contextSize: CONTEXT,
    ubatch: UBATCH,
  });
  return {
    name: `ring of ${nodes}, 1 thread per node`,
    measure: async () => ({
      prefill: await under.prefill(promptTokens),
      decode: await under.decode(generatedTokens),
    }),
    stop: () => under.stop(),
  };
}
