import type { FinishReason, InferenceEvent, Timings, TokenLogprob, Usage } from "../../core/inference.js";
import type { ChoiceEvent } from "../generate-choices.js";

/** The envelope that every chunk and every whole answer of one request shares. */
export interface AnswerContext {
  readonly id: string;
  readonly model: string;
  /** Seconds since the Unix epoch. */
  readonly created: number;
  readonly systemFingerprint: string;
  readonly choices: number;
  readonly choicesPerInput: number;
  /** Streams only: a last chunk with the usage of all choices. */
  readonly includeUsage: boolean;
}

export interface ToolCall {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

export type Finished = Extract<InferenceEvent, { type: "finished" }>;

/** One choice, whole. */
export interface Answer {
  readonly text: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  readonly logprobs: readonly TokenLogprob[];
  /** Those of `logprobs` that came with text, not with reasoning or a tool call. */
  readonly textLogprobs: readonly TokenLogprob[];
  readonly reason: FinishReason;
  readonly usage: Usage;
  readonly timings: Timings;
}

const NO_TIMINGS: Timings = { queueSeconds: 0, prefillSeconds: 0, decodeSeconds: 0 };
const NO_USAGE: Usage = {
  promptTokens: 0,
  completionTokens: 0,
  cachedTokens: 0,
  acceptedDraftTokens: 0,
  rejectedDraftTokens: 0,
};

class AnswerBuilder {
  readonly #text: string[] = [];
  readonly #reasoning: string[] = [];
  readonly #toolCalls = new Map<number, { id: string; name: string; arguments: string }>();
  readonly #logprobs: TokenLogprob[] = [];
  readonly #textLogprobs: TokenLogprob[] = [];
  #finished: Finished | null = null;

  add(event: InferenceEvent): void {
    if (event.type === "finished") this.#finished = event;
    if (event.type !== "delta") return;
    this.#text.push(event.text);
    this.#reasoning.push(event.reasoning ?? "");
    for (const one of event.logprobs ?? []) {
      this.#logprobs.push(one);
      if (event.text !== "") this.#textLogprobs.push(one);
    }
    for (const { index, id, name, arguments: more } of event.toolCalls ?? []) {
      const call = this.#toolCalls.get(index) ?? { id: "", name: "", arguments: "" };
      call.id ||= id ?? "";
      call.name += name ?? "";
      call.arguments += more ?? "";
      this.#toolCalls.set(index, call);
    }
  }

  build(): Answer {
    const calls = [...this.#toolCalls].sort(([a], [b]) => a - b);
    return {
      text: this.#text.join(""),
      reasoning: this.#reasoning.join(""),
      toolCalls: calls.map(([, { id, name, arguments: text }]) => ({
        id,
        type: "function",
        function: { name, arguments: text },
      })),
      logprobs: this.#logprobs,
      textLogprobs: this.#textLogprobs,
      reason: this.#finished?.reason ?? "stop",
      usage: this.#finished?.usage ?? NO_USAGE,
      timings: this.#finished?.timings ?? NO_TIMINGS,
    };
  }
}

/** Waits for all choices. */
export async function collectAnswers(events: AsyncIterable<ChoiceEvent>, choices: number): Promise<readonly Answer[]> {
  const builders = Array.from({ length: choices }, () => new AnswerBuilder());
  for await (const { choice, event } of events) builders[choice]?.add(event);
  return builders.map((builder) => builder.build());
}
