import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { NodeProcess } from "../../test/support/node-process.js";
import { type AnswerWatch, watchAnswer } from "./answer-watch.js";
import type { Scenario } from "./scenarios.js";

/** What one kill took, in milliseconds since it; `null`: it did not come to that. */
export interface Recovery {
  /** A node of the ring says that the ring is broken, or that the head is gone. */
  readonly detected: number | null;
  /** The next ring is planned, and its stages are asked for. */
  readonly planned: number | null;
  /** It is loaded, and an empty micro-batch went round. */
  readonly ready: number | null;
  /** The client has the next token. */
  readonly token: number;
  /** The stream went on; else the client asked again. */
  readonly sameStream: boolean;
  /** Stages of the next ring that stayed loaded, and all of them. */
  readonly kept: number;
  readonly stages: number;
}

const line = z.object({
  time: z.union([z.number(), z.string()]),
  msg: z.string(),
  /** Of a failure. */
  code: z.string().nullish(),
  model: z.string().optional(),
});
const clusterSchema = z.object({
  nodes: z.array(z.object({ name: z.string(), state: z.string() })),
  rings: z.array(
    z.object({
      id: z.string(),
      epoch: z.number(),
      state: z.string(),
      stages: z.array(z.object({ node_name: z.string(), kept: z.boolean() })),
      spares: z.array(z.object({ state: z.string() })),
    }),
  ),
});
type Cluster = z.infer<typeof clusterSchema>;

/** Pieces of text that the client has when the node is killed. */
const PIECES_BEFORE = 8;
const PATIENCE_MS = 60_000;
const POLL_MS = 20;

/** Starts the nodes of a scenario, kills one in the middle of an answer, and stops them. */
export async function killOnce(scenario: Scenario, model: string, prompt: string): Promise<Recovery> {
  const nodes: NodeProcess[] = [];
  try {
    await addNodes(nodes, scenario.inRing);
    const ring = await placeRing(nodes, scenario, model);
    const names = ring.stages.map(({ node_name }) => node_name);
    const victim = nodeOf(nodes, scenario.victim === "head" ? names[0] : names.at(-1));
    const entry = nodeOf(nodes, scenario.victim === "head" ? names.at(-1) : names[0]);
    const answer = watchAnswer(entry.http, model, prompt);
    await answer.pieces(PIECES_BEFORE);
    // While an answer is given the ring is not placed anew for those that come.
    await addNodes(nodes, scenario.nodes - scenario.inRing);
    if (scenario.spares > 0) await sparesAt(entry);
    const { stream } = answer;
    const killedAt = Date.now();
    await victim.kill();
    return await recovered({ nodes, victim, entry, answer, stream, killedAt, before: ring });
  } finally {
    await Promise.all(nodes.map((node) => node.kill()));
  }
}

async function addNodes(nodes: NodeProcess[], count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const peers = nodes.flatMap((node) => ["--peer", node.grpc]);
    const args = ["--threads", "1", "--ctx", "2048", "--log-level", "info", ...peers];
    nodes.push(await NodeProcess.start({ name: `node-${nodes.length + 1}`, args }));
  }
  await until(async () => {
    const seen = await Promise.all(nodes.map(clusterAt));
    return seen.every((cluster) => cluster.nodes.filter(({ state }) => state === "alive").length === nodes.length);
  });
}

/** Until those that were asked to stand by do. */
async function sparesAt(node: NodeProcess): Promise<void> {
  await until(async () => {
    const spares = (await clusterAt(node)).rings[0]?.spares ?? [];
    return spares.some(({ state }) => state === "loaded") && spares.every(({ state }) => state !== "fetching");
  });
}

async function placeRing(nodes: readonly NodeProcess[], scenario: Scenario, model: string) {
  const [first] = nodes;
  if (first === undefined) throw new Error("a scenario has nodes");
  const body = { model, wait: true, strategy: "memory-weighted", spares: scenario.spares };
  await post(first.http, "/cluster/rings", body);
  const [ring] = (await clusterAt(first)).rings;
  if (ring === undefined || ring.stages.length !== scenario.inRing) throw new Error("the ring is not as it was meant");
  return ring;
}

interface Killed {
  readonly nodes: readonly NodeProcess[];
  readonly victim: NodeProcess;
  readonly entry: NodeProcess;
  readonly answer: AnswerWatch;
  /** That was open when the node was killed. */
  readonly stream: number;
  readonly killedAt: number;
  readonly before: Cluster["rings"][number];
}

async function recovered({ nodes, victim, entry, answer, stream, killedAt, before }: Killed): Promise<Recovery> {
  let next: Cluster["rings"][number] | undefined;
  await until(async () => {
    next = (await clusterAt(entry)).rings.find(({ state }) => state === "ready");
    return next !== undefined && (next.id !== before.id || next.epoch > before.epoch);
  });
  const told = nodes
    .filter((node) => node !== victim)
    .flatMap((node) => linesOf(node.log))
    .filter(({ time }) => time >= killedAt);
  const firstOf = (isMeant: (line: Line) => boolean): number | null => {
    const times = told.filter(isMeant).map(({ time }) => time - killedAt);
    return times.length === 0 ? null : Math.min(...times);
  };
  const ready = firstOf(({ msg }) => msg === "ring ready");
  const token = await answer.nextTokenAfter(killedAt + (ready ?? 0));
  return {
    // The head says of its model why it answers no more; where the head is lost, a node that it is gone.
    detected: firstOf(({ msg, code, model }) => msg === "node is gone" || (code != null && model !== undefined)),
    planned: firstOf(({ msg }) => msg === "ring planned"),
    ready,
    token: token.at - killedAt,
    sameStream: token.stream === stream,
    kept: next?.stages.filter(({ kept }) => kept).length ?? 0,
    stages: next?.stages.length ?? 0,
  };
}

type Line = Omit<z.infer<typeof line>, "time"> & { readonly time: number };

function linesOf(log: string): readonly Line[] {
  return log.split("\n").flatMap((text) => {
    const parsed = line.safeParse(jsonOf(text));
    if (!parsed.success) return [];
    const { time } = parsed.data;
    return [{ ...parsed.data, time: typeof time === "number" ? time : Date.parse(time) }];
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function nodeOf(nodes: readonly NodeProcess[], name: string | undefined): NodeProcess {
  const node = nodes.find((one) => one.name === name);
  if (node === undefined) throw new Error(`there is no node ${name}`);
  return node;
}

async function clusterAt(node: NodeProcess): Promise<Cluster> {
  return clusterSchema.parse(await (await fetch(`${node.http}/cluster`)).json());
}

async function post(url: string, path: string, body: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(new URL(path, url), { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await response.text());
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`it did not come to that within ${PATIENCE_MS / 1000} s`);
    await delay(POLL_MS);
  }
}
