import type { ResolvedModel } from "../src/model/resolved-model.js";
import { runBatchedBench, runLlamaBench } from "./peers/llama-bench.js";
import { RingUnderTest } from "./ring-under-test.js";
import { type Spread, spreadOf } from "./statistics.js";

export interface CaseOptions {
  readonly model: ResolvedModel;
  /** Directory of the peers' executables. */
  readonly peers: string;
  readonly repeats: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** Numbers of streams to decode at once, besides one. */
  readonly streams: readonly number[];
  /** Sizes of rings. */
  readonly rings: readonly number[];
  readonly say: (line: string) => void;
}

/** Tokens per second of one way to run the model, by measure. */
export interface CaseResult {
  readonly name: string;
  readonly measures: Readonly<Record<string, Spread>>;
}

export interface Outcome {
  readonly model: { readonly id: string; readonly quantisation: string; readonly bytes: number };
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly ubatch: number;
  readonly results: readonly CaseResult[];
}

const UBATCH = 128;

type Measured = Readonly<Record<string, number>>;

interface Contender {
  readonly name: string;
  measure(): Promise<Measured>;
  stop(): Promise<void>;
}

/**
 * Measures every contender once per repeat, in turn, so that a machine whose speed drifts slows all alike; the first
 * round only warms up. One thread per node, each node on its own processor; the baseline has the threads of one node.
 */
export async function runCases(options: CaseOptions): Promise<Outcome> {
  const contenders: Contender[] = [llamaCpp(options)];
  const rounds: Measured[][] = [];
  try {
    for (const nodes of options.rings) contenders.push(await ring(options, nodes));
    for (let round = 0; round <= options.repeats; round += 1) {
      const measured: Measured[] = [];
      for (const contender of contenders) {
        const numbers = await contender.measure();
        options.say(`${label(round)} ${contender.name}: ${describe(numbers)}`);
        measured.push(numbers);
      }
      if (round > 0) rounds.push(measured);
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
      measures: spreads(rounds.map((measured) => measured[index] ?? {})),
    })),
  };
}

function spreads(rounds: readonly Measured[]): Record<string, Spread> {
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, spreadOf(rounds.map((round) => round[name] ?? Number.NaN))]));
}

function label(round: number): string {
  return round === 0 ? "warm-up" : `round ${round}`;
}

function describe(numbers: Measured): string {
  return Object.entries(numbers)
    .map(([name, value]) => `${name} ${value.toFixed(1)}`)
    .join(", ");
}

const PREFILL = "prefill";

function decodeName(streams: number): string {
  return streams === 1 ? "decode" : `decode × ${streams}`;
}

function llamaCpp({ peers, model, promptTokens, generatedTokens, streams }: CaseOptions): Contender {
  const settings = { modelPath: model.path, threads: 1, ubatch: UBATCH, cpus: [0], generatedTokens };
  return {
    name: "llama.cpp, 1 thread",
    measure: async () => {
      const { prefill, decode } = await runLlamaBench(peers, { ...settings, promptTokens });
      const batched = streams.length === 0 ? new Map() : await runBatchedBench(peers, { ...settings, streams });
      return {
        [PREFILL]: prefill,
        [decodeName(1)]: decode,
        ...Object.fromEntries([...batched].map(([count, speed]) => [decodeName(count), speed])),
      };
    },
    stop: async () => {},
  };
}

async function ring({ model, promptTokens, generatedTokens, streams }: CaseOptions, nodes: number): Promise<Contender> {
  const slots = Math.max(1, ...streams);
  const under = await RingUnderTest.start({
    modelPath: model.path,
    nodes,
    threadsPerNode: 1,
    contextSize: Math.max(promptTokens, generatedTokens) + 64,
    ubatch: UBATCH,
    slots,
  });
  return {
    name: `ring of ${nodes}, 1 thread per node`,
    measure: async () => {
      const measured: Record<string, number> = { [PREFILL]: await under.prefill(promptTokens) };
      measured[decodeName(1)] = await under.decode(generatedTokens);
      for (const count of streams) measured[decodeName(count)] = await under.aggregate(count, generatedTokens);
      return measured;
    },
    stop: () => under.stop(),
  };
}
