import { setTimeout as delay } from "node:timers/promises";
import type { Answer } from "./answer.js";
import type { ChaosNode } from "./chaos-node.js";
import type { ChaosCluster } from "./cluster.js";
import { faultNames, makeHappen } from "./faults.js";
import type { Question } from "./questions.js";
import { Random } from "./random.js";
import { followStream, type StreamEnd } from "./stream.js";
import type { Wire } from "./wire.js";

/** What the cluster is doing when the fault comes. */
export const PHASES = ["load", "prefill", "decode"] as const;
export type Phase = (typeof PHASES)[number];

export interface Ground {
  readonly cluster: ChaosCluster;
  readonly wire: Wire | null;
  /** As `--model` names it, and as the API does. */
  readonly modelPath: string;
  readonly model: string;
  readonly questions: readonly Question[];
  /** By question. */
  readonly references: readonly Answer[];
  readonly mostStreams: number;
  /** Faults to choose from; `null`: all. */
  readonly only: readonly string[] | null;
}

export interface RoundResult {
  readonly seed: number;
  readonly fault: string;
  readonly what: string;
  readonly phase: Phase;
  readonly streams: readonly StreamEnd[];
  /** Milliseconds until the cluster was whole again, after the streams had ended and the fault was lifted; `null`: it was not. */
  readonly wholeMs: number | null;
  readonly violations: readonly string[];
}

/** Milliseconds. */
const STREAM_LIMIT = 120_000;
const WHOLE_LIMIT = 90_000;
const DECODE_LIMIT = 5_000;
const HEARD_LIMIT = 3_000;

/** One fault, of the kind and at the moment that the seed says, and what became of everything. */
export async function runRound(ground: Ground, seed: number): Promise<RoundResult> {
  const random = new Random(seed);
  const { cluster, wire, only } = ground;
  const fault = random.pick(only ?? faultNames(wire !== null));
  const phase = random.pick(PHASES);
  const victims: string[] = [];
  const progress = { pieces: 0, over: false };
  if (phase === "load") await reload(ground, random);
  // Its short name is known once its header has been read.
  const asked = phase === "load" ? { ...ground, model: ground.modelPath } : ground;
  const streams = startStreams(asked, random, victims, progress);
  await until(phase, random, progress);
  const happening = await makeHappen(fault, { nodes: cluster.nodes, wire, random });
  victims.push(...happening.victims);
  const [ends] = await Promise.all([streams, happening.lift()]);
  const violations = ends
    .filter(({ kind }) => kind === "wrong" || kind === "silent" || kind === "hung")
    .map(({ kind, question, entry, detail }) => `a stream was ${kind} (question ${question} at ${entry}): ${detail}`);
  const probe = probeOf(ground);
  const result = { seed, fault, what: happening.what, phase, streams: ends };
  try {
    const wholeMs = await cluster.whole(probe, referenceFor(ground, probe), WHOLE_LIMIT);
    return { ...result, wholeMs, violations };
  } catch (thrown) {
    const missing = thrown instanceof Error ? thrown.message : String(thrown);
    return { ...result, wholeMs: null, violations: [...violations, `not whole after ${WHOLE_LIMIT} ms: ${missing}`] };
  }
}

/** The question whose answer shows that all is well. */
export function probeOf({ questions }: Ground): Question {
  const [probe] = questions;
  if (probe === undefined) throw new Error("There are no questions.");
  return probe;
}

export function referenceFor({ references }: Ground, { id }: Question): Answer {
  const reference = references[id];
  if (reference === undefined) throw new Error(`There is no reference for question ${id}.`);
  return reference;
}

/** Takes the ring down and has it loaded again. */
async function reload({ cluster, modelPath }: Ground, random: Random): Promise<void> {
  const node = random.pick(cluster.nodes);
  for (const { id } of (await cluster.seenBy(node)).rings) {
    await fetch(`${node.url}/cluster/rings/${id}`, { method: "DELETE", signal: AbortSignal.timeout(WHOLE_LIMIT) });
  }
  await fetch(`${node.url}/cluster/rings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: modelPath, pinned: true }),
    signal: AbortSignal.timeout(WHOLE_LIMIT),
  });
  await Promise.all(cluster.nodes.map((one) => untilHeard(cluster, one)));
}

/** A node that has not heard of the new ring yet knows no such model. */
async function untilHeard(cluster: ChaosCluster, node: ChaosNode): Promise<void> {
  const deadline = performance.now() + HEARD_LIMIT;
  while ((await cluster.seenBy(node)).rings.length === 0 && performance.now() < deadline) await delay(20);
}

interface Progress {
  /** Of the answers, over all streams. */
  pieces: number;
  over: boolean;
}

async function startStreams(
  ground: Ground,
  random: Random,
  victims: readonly string[],
  progress: Progress,
): Promise<readonly StreamEnd[]> {
  const { cluster, questions, model, mostStreams } = ground;
  const count = random.between(1, mostStreams);
  const plans = Array.from({ length: count }, () => ({
    node: random.pick(cluster.nodes),
    question: random.pick(questions),
  }));
  const ends = await Promise.all(
    plans.map(({ node, question }) =>
      followStream({
        question,
        reference: referenceFor(ground, question),
        model,
        entry: { name: node.name, url: node.url },
        entryIsVictim: () => victims.includes(node.name),
        limitMs: STREAM_LIMIT,
        onPiece: () => {
          progress.pieces += 1;
        },
      }),
    ),
  );
  progress.over = true;
  return ends;
}

/** The moment for the fault. */
async function until(phase: Phase, random: Random, progress: Progress): Promise<void> {
  const pieces = random.between(1, 80);
  const wait = random.between(0, phase === "load" ? 400 : 80);
  if (phase !== "decode") return delay(wait);
  const deadline = performance.now() + DECODE_LIMIT;
  while (progress.pieces < pieces && !progress.over && performance.now() < deadline) await delay(2);
}
