import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import { timeLimit } from "../../core/waiting.js";
import { failureOf } from "./api-failure.js";
import { type ChatPiece, readChatStream } from "./chat-stream.js";
import { type ClusterDocument, clusterDocument } from "./cluster-document.js";
import { type DrainDocument, drainDocument } from "./drain-document.js";
import { estimateDocumentSchema, planDocumentSchema, type ReadEstimate, type ReadPlan } from "./planning-documents.js";

/** A node on this machine or in the same house answers well within this. Milliseconds. */
const QUICK = 5000;
/** What is on a node may have to be planned elsewhere first. */
const DRAIN = 30_000;

const modelList = z.object({
  data: z.array(
    z.looseObject({
      id: z.string(),
      aliases: z.array(z.string()).optional(),
      status: z.looseObject({ value: z.string() }).optional(),
      meta: z
        .looseObject({
          n_ctx: z.number().nullish(),
          n_vocab: z.number().nullish(),
          n_params: z.number().nullish(),
          size: z.number().nullish(),
        })
        .nullish(),
    }),
  ),
});

const tokenList = z.object({ tokens: z.array(z.int()) });

export interface ListedModel {
  readonly id: string;
  readonly aliases: readonly string[];
  /** Otherwise the node loads it when it is asked for. */
  readonly loaded: boolean;
  /** Tokens; `null` where the node does not tell. */
  readonly contextSize: number | null;
  readonly vocabularySize: number | null;
  readonly parameterCount: number | null;
  readonly bytes: number | null;
}

/** What `/v1/chat/completions` is sent, without the fields that say how to stream. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly [field: string]: unknown;
}

/** What `/v1/completions` is sent, likewise. */
export interface CompletionRequest {
  readonly model: string;
  /** Text, or token ids. */
  readonly prompt: string | readonly number[];
  readonly [field: string]: unknown;
}

/** A running node, over its HTTP API. Every failure is an `ExoError`; `peer_unreachable` when nothing answers. */
export class NodeClient {
  readonly url: URL;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: URL, apiKey: string | null) {
    this.url = url;
    this.#headers = apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };
  }

  /** Whether an exo-native node (or anything that answers /healthz with 2xx) is there. */
  async isThere(): Promise<boolean> {
    try {
      const response = await fetch(new URL("/healthz", this.url), { signal: AbortSignal.timeout(QUICK) });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  }

  async models(signal = AbortSignal.timeout(QUICK)): Promise<readonly ListedModel[]> {
    const { data } = await this.#get("/v1/models", modelList, signal);
    return data.map(({ id, aliases, status, meta }) => ({
      id,
      aliases: aliases ?? [],
      loaded: (status?.value ?? "loaded") === "loaded",
      contextSize: meta?.n_ctx ?? null,
      vocabularySize: meta?.n_vocab ?? null,
      parameterCount: meta?.n_params ?? null,
      bytes: meta?.size ?? null,
    }));
  }

  async cluster(): Promise<ClusterDocument> {
    return this.#get("/cluster", clusterDocument);
  }

  /** The same, every field as the node sent it. */
  async clusterAsSent(): Promise<unknown> {
    const sent = await this.#get("/cluster", z.unknown());
    this.#read(sent, "/cluster", clusterDocument);
    return sent;
  }

  /** Where a model would be placed. The node may have to fetch a part of it to know. */
  plan(question: object, signal: AbortSignal): Promise<ReadPlan> {
    return this.#ask("/cluster/plan", question, signal, planDocumentSchema);
  }

  /** What a model would take, likewise. */
  estimate(question: object, signal: AbortSignal): Promise<ReadEstimate> {
    return this.#ask("/cluster/estimate", question, signal, estimateDocumentSchema);
  }

  /** Has a node take no more layers, or lets it again. The models are looked at first, to say whether it can be. */
  drain(node: string, draining: boolean): Promise<DrainDocument> {
    return this.#ask("/cluster/drain", { node, drain: draining }, AbortSignal.timeout(DRAIN), drainDocument);
  }

  /** The answer as it is written. Aborting the signal hangs up, which frees the slot. */
  chat(request: ChatRequest, signal: AbortSignal): AsyncGenerator<ChatPiece, void, void> {
    return this.#stream("/v1/chat/completions", request, signal);
  }

  /** How the model goes on after a text, likewise. */
  complete(request: CompletionRequest, signal: AbortSignal): AsyncGenerator<ChatPiece, void, void> {
    return this.#stream("/v1/completions", request, signal);
  }

  /** A prompt's tokens, those that the model wants at its beginning included. */
  async tokenize(model: string, content: string, signal: AbortSignal): Promise<readonly number[]> {
    const path = "/tokenize";
    const body = { model, content, add_special: true, parse_special: false };
    const limit = timeLimit(QUICK, signal);
    try {
      const response = await this.#send(path, this.#json(body, limit.signal));
      return (await this.#parsed(response, path, tokenList)).tokens;
    } finally {
      limit.end();
    }
  }

  async #ask<Value>(path: string, body: object, signal: AbortSignal, schema: z.ZodType<Value>): Promise<Value> {
    return this.#parsed(await this.#send(path, this.#json(body, signal)), path, schema);
  }

  async *#stream(path: string, request: object, signal: AbortSignal): AsyncGenerator<ChatPiece, void, void> {
    const body = { ...request, stream: true, stream_options: { include_usage: true } };
    const response = await this.#send(path, this.#json(body, signal));
    if (response.body === null) throw new ExoError("internal", `${this.url.origin} sent an empty answer.`);
    yield* readChatStream(response.body);
  }

  async #get<Value>(path: string, schema: z.ZodType<Value>, signal = AbortSignal.timeout(QUICK)): Promise<Value> {
    const response = await this.#send(path, { headers: this.#headers, signal });
    return this.#parsed(response, path, schema);
  }

  #json(body: object, signal: AbortSignal): RequestInit {
    const headers = { ...this.#headers, "content-type": "application/json" };
    return { method: "POST", headers, body: JSON.stringify(body), signal };
  }

  async #parsed<Value>(response: Response, path: string, schema: z.ZodType<Value>): Promise<Value> {
    return this.#read(await response.json().catch(() => null), path, schema);
  }

  #read<Value>(body: unknown, path: string, schema: z.ZodType<Value>): Value {
    const result = schema.safeParse(body);
    if (result.success) return result.data;
    const where = result.error.issues[0]?.path.join(".") || "its root";
    throw new ExoError(
      "peer_incompatible",
      `What ${this.url.origin}${path} answers is not what this version expects (at ${where}); is it an exo-native node?`,
    );
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const url = new URL(path, this.url);
    let response: Response;
    try {
      response = await fetch(url, init);
    } catch (thrown) {
      if (init.signal?.aborted === true && !isTimeout(init.signal.reason)) throw thrown;
      throw unreachable(this.url, thrown);
    }
    if (response.ok) return response;
    throw failureOf(response.status, await response.text().catch(() => ""), url);
  }
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === "TimeoutError";
}

function unreachable(url: URL, cause: unknown): ExoError {
  return new ExoError(
    "peer_unreachable",
    `No node answers at ${url.origin}. Start one with "npx exo-native serve", or name another with --url.`,
    { cause },
  );
}
