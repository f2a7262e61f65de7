import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { openFiles, residentBytes } from "../support/process-table.js";
import { type Answer, compareAnswers } from "./answer.js";
import { ChaosNode } from "./chaos-node.js";
import type { Network } from "./network.js";
import { askOnce, type Question } from "./questions.js";

const ringSchema = z.object({
  id: z.string(),
  epoch: z.number(),
  model: z.string(),
  state: z.string(),
  reason: z.string().nullable(),
  busy_slots: z.number(),
  waiting_requests: z.number(),
  micro_batches_under_way: z.number(),
  stages: z.array(z.object({ node_name: z.string() })),
});

const nodeSchema = z.object({
  name: z.string(),
  state: z.string(),
  stages: z.array(z.object({ ring_id: z.string(), epoch: z.number() })).optional(),
});

const clusterSchema = z.object({ nodes: z.array(nodeSchema), rings: z.array(ringSchema) });
export type SeenCluster = z.infer<typeof clusterSchema>;

/** A question to a node's API that hangs is answered by this limit. Milliseconds. */
const ASK = 3000;
const LOOK = 200;

export interface ClusterOptions {
  readonly network: Network;
  readonly model: string;
  readonly directory: string;
  /** Nodes that a ring shall have at least. */
  readonly ringNodes: number;
}

/** Some nodes that share one model. */
export class ChaosCluster {
  readonly nodes: readonly ChaosNode[];

  constructor({ network, model, directory, ringNodes }: ClusterOptions) {
    const { sites } = network;
    this.nodes = sites.map((site) => {
      const home = join(directory, site.name);
      mkdirSync(home, { recursive: true });
      const peers = sites.filter((other) => other !== site).flatMap(({ grpc }) => ["--peer", grpc]);
      const ring = ["--min-nodes", String(ringNodes), "--slots", "4", "--ctx", "512", "--threads", "1"];
      // Encrypted, so that what is changed on the way is noticed.
      return new ChaosNode(site, [model, "--open", "--discovery", "static", ...ring, ...peers], home);
    });
  }

  start(): void {
    for (const node of this.nodes) node.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  /** What one node knows. */
  async seenBy(node: ChaosNode): Promise<SeenCluster> {
    const response = await fetch(`${node.url}/cluster`, { signal: AbortSignal.timeout(ASK) });
    return clusterSchema.parse(await response.json());
  }

  /** The name of the model at the API, once a ring is ready. */
  async model(): Promise<string> {
    const [first] = this.nodes;
    const ring = first && (await this.seenBy(first)).rings.find(({ state }) => state === "ready");
    if (ring === undefined) throw new Error("no ring is ready");
    return ring.model;
  }

  /**
   * Waits until every node sees all others, one ring is ready and idle, nothing else is held, and the answer to a question
   * is right through every node. Returns the milliseconds it took. Rejects with what was missing last.
   */
  async whole(question: Question, reference: Answer, limitMs: number): Promise<number> {
    const begun = performance.now();
    for (;;) {
      const missing = await this.#missing(question, reference);
      if (missing === null) return performance.now() - begun;
      if (performance.now() - begun > limitMs) throw new Error(missing);
      await delay(LOOK);
    }
  }

  /** `null`: nothing. */
  async #missing(question: Question, reference: Answer): Promise<string | null> {
    for (const node of this.nodes) {
      const fault = await this.#faultSeenBy(node);
      if (fault !== null) return `${node.name}: ${fault}`;
    }
    for (const node of this.nodes) {
      const fault = await this.#faultOfAnswer(node, question, reference);
      if (fault !== null) return `${node.name}: ${fault}`;
    }
    return null;
  }

  async #faultSeenBy(node: ChaosNode): Promise<string | null> {
    try {
      return faultOf(await this.seenBy(node), this.nodes.length);
    } catch (thrown) {
      return `does not answer: ${String(thrown)}`;
    }
  }

  async #faultOfAnswer(node: ChaosNode, question: Question, reference: Answer): Promise<string | null> {
    try {
      const model = await this.model();
      const signal = AbortSignal.timeout(5 * ASK);
      const { result, detail } = compareAnswers(await askOnce(node.url, question, model, signal), reference);
      return result === "other" ? `wrong answer: ${detail}` : null;
    } catch (thrown) {
      return `answers with ${String(thrown)}`;
    }
  }

  /** What each node process takes. */
  async usage(): Promise<readonly NodeUsage[]> {
    const all = await Promise.all(
      this.nodes.map(async (node) => {
        const pid = await node.nodePid();
        const bytes = pid === null ? null : await residentBytes(pid);
        if (pid === null || bytes === null) return null;
        return { name: node.name, pid, bytes, files: await openFiles(pid) };
      }),
    );
    return all.filter((one) => one !== null);
  }
}

export interface NodeUsage {
  readonly name: string;
  readonly pid: number;
  readonly bytes: number;
  readonly files: number;
}

function faultOf({ nodes, rings }: SeenCluster, count: number): string | null {
  const alive = nodes.filter(({ state }) => state === "alive");
  if (alive.length !== count) {
    return `${alive.length} of ${count} nodes are alive (${nodes.map(({ name, state }) => `${name} ${state}`).join(", ")})`;
  }
  const [ring, ...others] = rings;
  if (ring === undefined) return "there is no ring";
  if (others.length > 0) return `there are ${rings.length} rings (${rings.map(({ state }) => state).join(", ")})`;
  if (ring.state !== "ready") return `the ring is ${ring.state}: ${ring.reason}`;
  const working = { busy: ring.busy_slots, waiting: ring.waiting_requests, underWay: ring.micro_batches_under_way };
  if (Object.values(working).some((number) => number !== 0)) return `the ring is not idle: ${JSON.stringify(working)}`;
  const stale = nodes.find(({ stages = [] }) =>
    stages.some((stage) => stage.ring_id !== ring.id || stage.epoch !== ring.epoch),
  );
  return stale === undefined ? null : `${stale.name} holds a stage of a ring that is no more`;
}
