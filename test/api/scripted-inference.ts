import type {
  ChatPrompt,
  Embedding,
  EmbedRequest,
  InferenceEvent,
  InferenceRequest,
  InferenceService,
  TokenizeRequest,
  TokenLogprob,
} from "../../src/core/inference.js";

export type Script = (request: InferenceRequest, signal: AbortSignal) => AsyncIterable<InferenceEvent>;

/** An inference service that says what the test wrote; everything asked of it is kept. */
export class ScriptedInference implements InferenceService {
  readonly requests: InferenceRequest[] = [];
  readonly signals: AbortSignal[] = [];
  readonly templates: ChatPrompt[] = [];
  readonly tokenizations: TokenizeRequest[] = [];
  readonly embeddings: EmbedRequest[] = [];
  script: Script;

  constructor(script: Script = () => saying(["Paris", " is", " it", "."])) {
    this.script = script;
  }

  generate(request: InferenceRequest, signal: AbortSignal): AsyncIterable<InferenceEvent> {
    this.requests.push(request);
    this.signals.push(signal);
    return this.script(request, signal);
  }

  /** Of each input its length, and thrice a third, which no f32 holds exactly. */
  async embed(request: EmbedRequest, signal: AbortSignal): Promise<readonly Embedding[]> {
    this.embeddings.push(request);
    this.signals.push(signal);
    return request.inputs.map((input) => ({
      values: Float32Array.of(input.length, 1 / 3, 1 / 3, 1 / 3),
      promptTokens: input.length,
    }));
  }

  /** One token per character, its code point. */
  async tokenize(request: TokenizeRequest, _signal: AbortSignal): Promise<readonly number[]> {
    this.tokenizations.push(request);
    return [...request.text].map((character) => character.codePointAt(0) ?? 0);
  }

  async detokenize(_model: string, tokens: readonly number[], _signal: AbortSignal): Promise<string> {
    return String.fromCodePoint(...tokens);
  }

  async applyTemplate(_model: string, prompt: ChatPrompt, _signal: AbortSignal): Promise<string> {
    this.templates.push(prompt);
    return prompt.messages.map(({ role, content }) => `<${role}>${String(content)}`).join("");
  }
}

export const STARTED: InferenceEvent = { type: "started", promptTokens: 7, cachedTokens: 3 };

export function finished(reason: "stop" | "length" | "tool_calls", completionTokens: number): InferenceEvent {
  return {
    type: "finished",
    reason,
    usage: { promptTokens: 7, completionTokens, cachedTokens: 3, acceptedDraftTokens: 2, rejectedDraftTokens: 1 },
    timings: { queueSeconds: 0.01, prefillSeconds: 0.2, decodeSeconds: 0.5 },
  };
}

/** An undisturbed answer of these pieces. */
export async function* saying(pieces: readonly string[]): AsyncGenerator<InferenceEvent> {
  yield STARTED;
  for (const text of pieces) yield { type: "delta", text };
  yield finished("stop", pieces.length);
}

/** An answer that thinks, says something, and calls two tools. */
export async function* thinkingAndCalling(): AsyncGenerator<InferenceEvent> {
  yield STARTED;
  yield { type: "delta", text: "", reasoning: "Let me " };
  yield { type: "delta", text: "", reasoning: "look." };
  yield { type: "delta", text: "Looking" };
  yield { type: "delta", text: "", toolCalls: [{ index: 0, id: "call_1", name: "weather", arguments: "" }] };
  yield { type: "delta", text: "", toolCalls: [{ index: 0, arguments: '{"city":' }] };
  yield { type: "delta", text: "", toolCalls: [{ index: 0, arguments: '"Oslo"}' }] };
  yield { type: "delta", text: "", toolCalls: [{ index: 1, id: "call_2", name: "time", arguments: "{}" }] };
  yield finished("tool_calls", 12);
}

/** Fails after these pieces, or before anything. */
export async function* failing(error: Error, before: readonly string[] = []): AsyncGenerator<InferenceEvent> {
  if (before.length > 0) yield STARTED;
  for (const text of before) yield { type: "delta", text };
  throw error;
}

/** An answer that never ends by itself; it waits for `next` before every piece. */
export async function* endless(
  next: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<InferenceEvent> {
  yield STARTED;
  for (;;) {
    await next(signal);
    signal.throwIfAborted();
    yield { type: "delta", text: "word " };
  }
}

export function logprob(text: string, value: number): TokenLogprob {
  const token = text.codePointAt(0) ?? 0;
  const chosen = { token, text, bytes: [...Buffer.from(text)], logprob: value };
  return { ...chosen, top: [chosen, { ...chosen, text: "other", token: 9, logprob: value - 1 }] };
}
