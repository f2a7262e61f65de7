import { EventSourceParserStream } from "eventsource-parser/stream";
import { z } from "zod";

const timings = z.object({
  prompt_n: z.int(),
  prompt_ms: z.number(),
  predicted_n: z.int(),
  predicted_ms: z.number(),
});
const drafts = z.object({ accepted_prediction_tokens: z.int(), rejected_prediction_tokens: z.int() });
const answerSchema = z.object({ timings, usage: z.object({ completion_tokens_details: drafts }) });
const chunkSchema = z.object({
  choices: z.array(z.object({ text: z.string().optional() })),
  /** In the last one. */
  timings: timings.optional(),
});
const tokensSchema = z.object({ tokens: z.array(z.int()) });

const memory = z.object({ weights: z.number() });
const work = z.object({
  micro_batches: z.int(),
  rows: z.int(),
  copies: z.int(),
  compute_seconds: z.number(),
  frames_sent: z.int(),
  bytes_sent: z.number(),
});
const clusterSchema = z.object({
  node: z.object({ id: z.string() }),
  nodes: z.array(
    z.looseObject({ id: z.string(), stages: z.array(z.object({ stage_index: z.int(), work })).optional() }),
  ),
  rings: z.array(
    z.object({
      state: z.string(),
      hops: z.object({ samples: z.int(), p50_ms: z.number(), p99_ms: z.number() }).nullable(),
      /** In ring order, the head first. */
      stages: z.array(
        z.object({
          node_id: z.string(),
          layer_begin: z.int(),
          layer_end: z.int(),
          memory,
          planned_weights: z.number(),
        }),
      ),
    }),
  ),
});

export type Timings = z.infer<typeof timings>;
/** Tokens drafted: those that became part of the answer, and those computed for nothing. */
export interface Drafted {
  readonly accepted: number;
  readonly rejected: number;
}
export type StageWork = z.infer<typeof work>;
export type ClusterDocument = z.infer<typeof clusterSchema>;

/** What a streaming client saw. Milliseconds. */
export interface Streamed {
  /** From asking to the first piece of text. */
  readonly firstAfter: number;
  /** Between one piece and the next. */
  readonly gaps: readonly number[];
  readonly timings: Timings;
}

/** Asks a node over HTTP, as any client would. */
export class RingClient {
  readonly #url: string;
  readonly #timeout: number;

  /** @param timeout milliseconds that one request may take */
  constructor(url: string, timeout: number) {
    this.#url = url;
    this.#timeout = timeout;
  }

  async complete(body: object): Promise<Timings & Drafted> {
    const response = await this.#post("/v1/completions", body);
    const { timings, usage } = answerSchema.parse(await response.json());
    const { accepted_prediction_tokens: accepted, rejected_prediction_tokens: rejected } =
      usage.completion_tokens_details;
    return { ...timings, accepted, rejected };
  }

  /** @param onText called for each piece of text */
  async stream(body: object, onText: () => void = () => {}): Promise<Streamed> {
    const begun = performance.now();
    const response = await this.#post("/v1/completions", { ...body, stream: true });
    if (response.body === null) throw new Error("the ring sent no stream");
    const times: number[] = [];
    let last: Timings | null = null;
    const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
    for await (const { data, event } of events) {
      if (event === "error" || data.startsWith('{"error"')) throw new Error(`the stream failed: ${data}`);
      if (data === "[DONE]") continue;
      const chunk = chunkSchema.parse(JSON.parse(data));
      last = chunk.timings ?? last;
      if (!chunk.choices.some(({ text }) => text !== undefined && text !== "")) continue;
      times.push(performance.now());
      onText();
    }
    const [first] = times;
    if (first === undefined || last === null) throw new Error("the stream had no text or no end");
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? time));
    return { firstAfter: first - begun, gaps, timings: last };
  }

  async tokenize(text: string): Promise<readonly number[]> {
    const response = await this.#post("/tokenize", { content: text });
    return tokensSchema.parse(await response.json()).tokens;
  }

  async cluster(): Promise<ClusterDocument> {
    const response = await fetch(`${this.#url}/cluster`, { signal: AbortSignal.timeout(this.#timeout) });
    return clusterSchema.parse(await response.json());
  }

  async #post(path: string, body: object): Promise<Response> {
    const response = await fetch(this.#url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(this.#timeout),
    });
    if (!response.ok) throw new Error(`the ring answered ${response.status}: ${await response.text()}`);
    return response;
  }
}
