import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { NodeProcess } from "../../test/support/node-process.js";
import type { Pinning } from "../host/pinning.js";
import { coreOf, pinned } from "../host/pinning.js";
import { DelayProxy } from "../network/delay-proxy.js";
import { Prompts } from "../prompts.js";
import { ask } from "../subjects/asking.js";
import { RingClient } from "../subjects/ring-client.js";
import type { Arrangement } from "./arrangements.js";
import type { PlacedNode } from "./placements.js";

/** What a plan says that a ring will do, or what it did. */
export interface Performance {
  /** Seconds; `null`: not measured. */
  readonly ttftSeconds: number | null;
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

/** The prompt for which plans predict the time to the first token, and behind which they predict the next ones. */
const PROMPT = 512;
/** Of the prompt, what an answer that is repeated finds in the cache at least. */
const CACHED = 256;
const ANSWER = 48;
const CONTEXT = 1024;
const TIMEOUT_MS = 120_000;
const MEET_MS = 20_000;
/** Where a node behind a link listens, and where the link begins; see `subjects/ring-processes.ts`. */
const BEHIND = "127.0.0.2";
const BEFORE = "127.0.0.1";

/** Nodes without a model, which plan one, load it as planned or by hand, and are measured. */
export class PlannedNodes {
  readonly #model: string;
  readonly #threads: readonly number[];
  readonly #nodes: NodeProcess[] = [];
  readonly #proxies: DelayProxy[] = [];

  private constructor(model: string, { threads }: Arrangement) {
    this.#model = model;
    this.#threads = threads;
  }

  static async start(model: string, arrangement: Arrangement, pinning: Pinning): Promise<PlannedNodes> {
    const started = new PlannedNodes(model, arrangement);
    try {
      await started.#start(arrangement, pinning);
      return started;
    } catch (thrown) {
      await started.close();
      throw thrown;
    }
  }

  get nodes(): readonly PlacedNode[] {
    return this.#nodes.map(({ name }, index) => ({ name, threads: this.#threads[index] ?? 1 }));
  }

  /** What the planner chooses with all nodes, or makes of these layers, and foresees; measures the model on the nodes first. */
  async plan(layers?: string): Promise<Plan> {
    const { stages, predicted } = planSchema.parse(
      await this.#post("/cluster/plan", {
        model: this.#model,
        context_size: CONTEXT,
        min_nodes: this.#nodes.length,
        ...(layers !== undefined && { layers }),
      }),
    );
    if (predicted === null) throw new Error("the plan predicts nothing: the nodes were not measured");
    return {
      layers: stages
        .map(({ node_name, layer_begin, layer_end }) => `${layer_begin}-${layer_end}@${node_name}`)
        .join(","),
      ttftSeconds: predicted.ttft_seconds,
      decodeTokensPerSecond: predicted.decode_tokens_per_second,
    };
  }

  /** Loads the model in these layers, measures it so many times and unloads it. The best of each: what disturbs only slows. */
  measure(layers: string, rounds: number): Promise<Performance> {
    return this.#loaded(layers, async (client, prompts) => {
      await ask({ client }, { prompt: prompts.take(PROMPT), tokens: 8 });
      const seen: { readonly ttft: number; readonly rate: number }[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const question = { prompt: prompts.take(PROMPT), tokens: ANSWER + 1 };
        const { prompt_ms, predicted_ms } = await ask({ client }, question);
        seen.push({ ttft: prompt_ms / 1000, rate: (ANSWER / predicted_ms) * 1000 });
      }
      return {
        ttftSeconds: Math.min(...seen.map(({ ttft }) => ttft)),
        decodeTokensPerSecond: Math.max(...seen.map(({ rate }) => rate)),
      };
    });
  }

  /** Only how fast it answers behind a prompt, which is computed once. */
  measureDecode(layers: string, rounds: number): Promise<number> {
    return this.#loaded(layers, async (client, prompts) => {
      const prompt = prompts.take(PROMPT);
      const rates: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const cached = round === 0 ? 0 : CACHED;
        const { predicted_ms } = await ask({ client }, { prompt, tokens: ANSWER + 1, cached });
        rates.push((ANSWER / predicted_ms) * 1000);
      }
      return Math.max(...rates);
    });
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

  /** Whatever becomes of the measurement, the ring is taken down. */
  async #loaded<Result>(
    layers: string,
    measure: (client: RingClient, prompts: Prompts) => Promise<Result>,
  ): Promise<Result> {
    const body = { model: this.#model, layers, context_size: CONTEXT, wait: true };
    const { id } = ringSchema.parse(await this.#post("/cluster/rings", body));
    try {
      const client = new RingClient(this.#head.http, TIMEOUT_MS);
      return await measure(client, await Prompts.load((text) => client.tokenize(text)));
    } finally {
      await this.#unload(id);
    }
  }

  async #unload(id: string): Promise<void> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    await fetch(`${this.#head.http}/cluster/rings/${id}`, { method: "DELETE", signal });
  }

  async #start({ threads, link }: Arrangement, pinning: Pinning): Promise<void> {
    const peers: string[] = [];
    for (const [index, count] of threads.entries()) {
      const cores = count === 1 ? coreOf(index, pinning) : pinning.cores.slice(0, count);
      const proxy =
        link === undefined ? null : await DelayProxy.open({ host: BEFORE, port: 0 }, { host: BEHIND, port: 0 }, link);
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
