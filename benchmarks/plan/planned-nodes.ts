import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { NodeProcess } from "../../test/support/node-process.js";
import type { Pinning } from "../host/pinning.js";
import { coreOf, pinned } from "../host/pinning.js";
import { DelayProxy } from "../network/delay-proxy.js";
import { Prompts, SHORT_PROMPT } from "../prompts.js";
import { ask } from "../subjects/asking.js";
import { RingClient } from "../subjects/ring-client.js";
import type { Arrangement } from "./arrangements.js";

/** What a plan says that a ring will do, or what it did. */
export interface Performance {
  readonly ttftSeconds: number;
  readonly decodeTokensPerSecond: number;
}

export interface Plan extends Performance {
  /** As `--layers` has it. */
  readonly layers: string;
}

const planSchema = z.object({
  stages: z.array(z.object({ node_name: z.string(), layer_begin: z.int(), layer_end: z.int() })),
  predicted: z.object({ ttft_seconds: z.number(), decode_tokens_per_second: z.number() }).nullable(),
});
const ringSchema = z.object({ id: z.string() });
const clusterSchema = z.object({ nodes: z.array(z.object({ state: z.string() })) });

/** The prompt for which plans predict the time to the first token. */
const PROMPT = 512;
const ANSWER = 48;
const CONTEXT = 1024;
const TIMEOUT_MS = 300_000;
const MEET_MS = 20_000;
/** Where a node behind a link listens, and where the link begins; see `subjects/ring-processes.ts`. */
const BEHIND = "127.0.0.2";
const BEFORE = "127.0.0.1";

/** Nodes without a model, which plan one, load it as planned or by hand, and are measured. */
export class PlannedNodes {
  readonly #model: string;
  readonly #nodes: NodeProcess[] = [];
  readonly #proxies: DelayProxy[] = [];

  private constructor(model: string) {
    this.#model = model;
  }

  static async start(model: string, arrangement: Arrangement, pinning: Pinning): Promise<PlannedNodes> {
    const started = new PlannedNodes(model);
    try {
      await started.#start(arrangement, pinning);
      return started;
    } catch (thrown) {
      await started.close();
      throw thrown;
    }
  }

  get names(): readonly string[] {
    return this.#nodes.map(({ name }) => name);
  }

  /** What the planner chooses with all nodes, and foresees; measures the model on the nodes first. */
  plan(layers?: string): Promise<Plan> {
    return this.#post("/cluster/plan", {
      model: this.#model,
      context_size: CONTEXT,
      min_nodes: this.#nodes.length,
      ...(layers !== undefined && { layers }),
    }).then((answer) => {
      const { stages, predicted } = planSchema.parse(answer);
      if (predicted === null) throw new Error("the plan predicts nothing: the nodes were not measured");
      return {
        layers: stages
          .map(({ node_name, layer_begin, layer_end }) => `${layer_begin}-${layer_end}@${node_name}`)
          .join(","),
        ttftSeconds: predicted.ttft_seconds,
        decodeTokensPerSecond: predicted.decode_tokens_per_second,
      };
    });
  }

  /** Loads the model in these layers, measures it so many times and unloads it. The best of each: what disturbs only slows. */
  async measure(layers: string, repeats: number): Promise<Performance> {
    const body = { model: this.#model, layers, context_size: CONTEXT, wait: true };
    const { id } = ringSchema.parse(await this.#post("/cluster/rings", body));
    const client = new RingClient(this.#head.http, TIMEOUT_MS);
    const prompts = await Prompts.load((text) => client.tokenize(text));
    await ask({ client }, { prompt: prompts.take(PROMPT), tokens: 8 });
    const seen: Performance[] = [];
    for (let round = 0; round < repeats; round += 1) {
      const { prompt_ms } = await ask({ client }, { prompt: prompts.take(PROMPT), tokens: 1 });
      const { predicted_ms } = await ask({ client }, { prompt: prompts.take(SHORT_PROMPT), tokens: ANSWER + 1 });
      seen.push({ ttftSeconds: prompt_ms / 1000, decodeTokensPerSecond: (ANSWER / predicted_ms) * 1000 });
    }
    await fetch(`${this.#head.http}/cluster/rings/${id}`, { method: "DELETE" });
    return {
      ttftSeconds: Math.min(...seen.map(({ ttftSeconds }) => ttftSeconds)),
      decodeTokensPerSecond: Math.max(...seen.map(({ decodeTokensPerSecond }) => decodeTokensPerSecond)),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }

  get #head(): NodeProcess {
    const [head] = this.#nodes;
    if (head === undefined) throw new Error("an arrangement has at least one node");
    return head;
  }

  async #start({ threads, link }: Arrangement, pinning: Pinning): Promise<void> {
    const peers: string[] = [];
    for (const [index, count] of threads.entries()) {
      const cores = count === 1 ? coreOf(index, pinning) : pinning.cores.slice(0, count);
      const proxy =
        link === undefined || index === 0
          ? null
          : await DelayProxy.open({ host: BEFORE, port: 0 }, { host: BEHIND, port: 0 }, link);
      if (proxy !== null) this.#proxies.push(proxy);
      const listens = proxy === null ? [] : ["--grpc", `${BEHIND}:${proxy.address.port}`];
      const node = await NodeProcess.start({
        name: `node-${index + 1}`,
        before: pinned(pinning, cores),
        args: ["--threads", String(count), "--slots", "1", "--speculation", "off", ...listens, ...peers],
      });
      this.#nodes.push(node);
      peers.push("--peer", proxy === null ? node.grpc : `${BEFORE}:${proxy.address.port}`);
    }
    await this.#met();
  }

  /** Waits until the first node knows all others. */
  async #met(): Promise<void> {
    const end = performance.now() + MEET_MS;
    for (;;) {
      const response = await fetch(`${this.#head.http}/cluster`);
      const { nodes } = clusterSchema.parse(await response.json());
      if (nodes.filter(({ state }) => state === "alive").length === this.#nodes.length) return;
      if (performance.now() > end) throw new Error("the nodes did not find each other");
      await delay(100);
    }
  }

  async #post(path: string, body: object): Promise<unknown> {
    const response = await fetch(this.#head.http + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return JSON.parse(text);
  }
}
