import { z } from "zod";
import { NodeProcess } from "../test/support/node-process.js";

export interface RingOptions {
  readonly modelPath: string;
  readonly nodes: number;
  readonly threadsPerNode: number;
  readonly contextSize: number;
  readonly ubatch: number;
  readonly slots: number;
}

const answerSchema = z.object({
  usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.int() }),
  timings: z.object({ prompt_ms: z.number(), predicted_ms: z.number(), predicted_n: z.int(), prompt_n: z.int() }),
});
type Timings = z.infer<typeof answerSchema>["timings"];

/** A ring of `serve` processes on this machine, each kept on a processor of its own as far as there are enough. */
export class RingUnderTest {
  readonly #nodes: readonly NodeProcess[];
  #round = 0;

  private constructor(nodes: readonly NodeProcess[]) {
    this.#nodes = nodes;
  }

  static async start(options: RingOptions): Promise<RingUnderTest> {
    const common = ["--threads", String(options.threadsPerNode), "--log-level", "info"];
    const started: NodeProcess[] = [];
    for (let index = 1; index < options.nodes; index += 1) {
      started.push(await NodeProcess.start({ name: `worker-${index}`, args: common, ...pin(options, index) }));
    }
    const head = await NodeProcess.start({
      name: "head",
      args: [
        options.modelPath,
        ...common,
        ...["--min-nodes", String(options.nodes), "--slots", String(options.slots)],
        ...["--ctx", String(options.contextSize), "--ubatch", String(options.ubatch)],
        ...started.flatMap((node) => ["--peer", node.grpc]),
      ],
      ...pin(options, 0),
    });
    await head.ready();
    return new RingUnderTest([head, ...started]);
  }

  /** Tokens per second of a prompt of `tokens` tokens that no cache knows. */
  async prefill(tokens: number): Promise<number> {
    this.#round += 1;
    // Ids from the middle of the vocabulary, other ones in every round; the first is never in the cache.
    const prompt = Array.from({ length: tokens }, (_, index) => 400 + ((this.#round * 7919 + index * 31) % 20_000));
    const { prompt_ms } = await this.#complete({ prompt, max_tokens: 1, cache_prompt: false });
    return tokens / (prompt_ms / 1000);
  }

  /** Tokens per second of one stream from an empty context, after its first token. */
  async decode(tokens: number): Promise<number> {
    const { predicted_ms } = await this.#complete({ prompt: [1], max_tokens: tokens + 1, ignore_eos: true });
    return tokens / (predicted_ms / 1000);
  }

  /** Tokens per second over all of `streams` requests sent at once, by the wall clock, their prompts of 3 tokens included. */
  async aggregate(streams: number, tokens: number): Promise<number> {
    const requests = Array.from({ length: streams }, (_, index) => ({
      prompt: [1, 400 + index * 31, 5000 + index],
      max_tokens: tokens,
      ignore_eos: true,
      cache_prompt: false,
    }));
    const begun = performance.now();
    await Promise.all(requests.map((request) => this.#complete(request)));
    return (streams * tokens) / ((performance.now() - begun) / 1000);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }

  async #complete(body: object): Promise<Timings> {
    const [head] = this.#nodes;
    const response = await fetch(`${head?.http}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ temperature: 0, ...body }),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`the ring answered ${response.status}: ${JSON.stringify(answer)}`);
    return answerSchema.parse(answer).timings;
  }
}

function pin({ nodes, threadsPerNode }: RingOptions, index: number): { cpu?: number } {
  return nodes > 1 && threadsPerNode === 1 ? { cpu: index } : { cpu: 0 };
}
