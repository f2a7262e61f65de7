import { eventData } from "./event-stream.js";
import { at, listAt, numberAt, textAt } from "./json.js";

export interface ChatTurn {
  readonly role: "user" | "assistant";
  readonly content: string;
}

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatTurn[];
  readonly temperature: number;
  /** `null`: until the model ends. */
  readonly maxTokens: number | null;
}

export type ChatEvent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "thinking"; readonly text: string }
  | { readonly kind: "finished"; readonly reason: string; readonly tokensPerSecond: number; readonly tokens: number }
  | { readonly kind: "usage"; readonly promptTokens: number; readonly cachedTokens: number };

export interface ListedModel {
  readonly id: string;
  /** Or being loaded; otherwise the first message to it has it loaded. */
  readonly loaded: boolean;
}

/** A failure in a sentence for the reader. */
export class ServerError extends Error {
  override readonly name = "ServerError";
}

/** The node's HTTP API as this page uses it. */
export class Server {
  /** Sent with every request when it is not empty. */
  apiKey = "";

  async models(): Promise<readonly ListedModel[]> {
    const body = await this.#json("/v1/models");
    return listAt(body, "data")
      .map((card) => ({ id: textAt(card, "id"), loaded: textAt(card, "status", "value") !== "unloaded" }))
      .filter(({ id }) => id !== "");
  }

  cluster(): Promise<unknown> {
    return this.#json("/cluster");
  }

  async *chat(request: ChatRequest, signal: AbortSignal): AsyncGenerator<ChatEvent, void> {
    const response = await this.#fetch("/v1/chat/completions", {
      method: "POST",
      signal,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: request.model,
        messages: request.messages,
        temperature: request.temperature,
        max_tokens: request.maxTokens,
        stream: true,
        stream_options: { include_usage: true },
      }),
    });
    if (response.body === null) throw new ServerError("The node sent an empty answer.");
    for await (const data of eventData(response.body)) {
      if (data === "[DONE]") return;
      yield* chatEvents(JSON.parse(data));
    }
    throw new ServerError("The connection to the node was lost in the middle of the answer.");
  }

  async #json(path: string): Promise<unknown> {
    const response = await this.#fetch(path, {});
    return response.json();
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.apiKey !== "") headers.set("authorization", `Bearer ${this.apiKey}`);
    const response = await reach(path, { ...init, headers });
    if (response.ok) return response;
    const message = textAt(await response.json().catch(() => null), "error", "message");
    throw new ServerError(message === "" ? `The node answered with HTTP status ${response.status}.` : message);
  }
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (thrown) {
    if (init.signal?.aborted === true) throw thrown;
    throw new ServerError("The node cannot be reached; check that it still runs.");
  }
}

function* chatEvents(chunk: unknown): Generator<ChatEvent, void> {
  if (at(chunk, "error") !== undefined) throw new ServerError(textAt(chunk, "error", "message"));
  const thinking = textAt(chunk, "choices", 0, "delta", "reasoning_content");
  if (thinking !== "") yield { kind: "thinking", text: thinking };
  const text = textAt(chunk, "choices", 0, "delta", "content");
  if (text !== "") yield { kind: "text", text };
  const reason = textAt(chunk, "choices", 0, "finish_reason");
  if (reason !== "") {
    const tokensPerSecond = numberAt(chunk, "timings", "predicted_per_second");
    yield { kind: "finished", reason, tokensPerSecond, tokens: numberAt(chunk, "timings", "predicted_n") };
  }
  const promptTokens = numberAt(chunk, "usage", "prompt_tokens");
  if (promptTokens > 0) {
    const cachedTokens = numberAt(chunk, "usage", "prompt_tokens_details", "cached_tokens");
    yield { kind: "usage", promptTokens, cachedTokens };
  }
}
