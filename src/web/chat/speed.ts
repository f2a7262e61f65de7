import type { ChatEvent } from "../api/chat-events.js";
import type { AnswerFacts } from "./conversation.js";

/** Measures an answer as it comes: TTFT, tok/s, tokens. Times are milliseconds of any one origin. */
export class Speed {
  readonly #sentAt: number;
  #firstAt: number | null = null;
  #lastAt = 0;
  #thoughtUntil: number | null = null;
  /** Pieces seen, one token each or nearly so; the node's own count replaces it at the end. */
  #tokens = 0;
  #measured: number | null = null;
  #promptTokens: number | null = null;
  #cachedTokens: number | null = null;

  constructor(now: number) {
    this.#sentAt = now;
  }

  add(event: ChatEvent, now: number): void {
    if (event.kind === "accepted") return;
    if (event.kind === "usage") {
      this.#promptTokens = event.usage.promptTokens;
      this.#cachedTokens = event.usage.cachedTokens;
    } else if (event.kind === "finished") {
      this.#tokens = event.tokens ?? this.#tokens;
      this.#measured = event.tokensPerSecond;
    } else {
      this.#firstAt ??= now;
      this.#lastAt = now;
      this.#tokens += 1;
      if (event.kind === "reasoning") this.#thoughtUntil = now;
    }
  }

  /** How long nothing came; `null` once something did. */
  waited(now: number): number | null {
    return this.#firstAt === null ? now - this.#sentAt : null;
  }

  facts(): AnswerFacts {
    return {
      ttft: this.#firstAt === null ? null : this.#firstAt - this.#sentAt,
      tokensPerSecond: this.#measured ?? this.#observed(),
      tokens: this.#tokens,
      promptTokens: this.#promptTokens,
      cachedTokens: this.#cachedTokens,
      thinking: this.#thoughtUntil === null || this.#firstAt === null ? 0 : this.#thoughtUntil - this.#firstAt,
    };
  }

  /** The first token is the prefill's: the rate counts those after it. */
  #observed(): number | null {
    const milliseconds = this.#firstAt === null ? 0 : this.#lastAt - this.#firstAt;
    return milliseconds > 0 ? ((this.#tokens - 1) * 1000) / milliseconds : null;
  }
}
