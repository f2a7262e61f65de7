import { formatSeconds } from "./format.js";
import type { ChatEvent } from "./server.js";

/** What the reader sees of an answer's speed, while it comes and after it: TTFT, tok/s, tokens. */
export class Speed {
  readonly #sentAt: number;
  #firstAt: number | null = null;
  #lastAt = 0;
  /** Pieces seen, one token each or nearly so; the node's own count replaces it at the end. */
  #tokens = 0;
  #measured: number | null = null;
  #prompt = "";

  /** @param now milliseconds, any origin */
  constructor(now: number) {
    this.#sentAt = now;
  }

  add(event: ChatEvent, now: number): void {
    if (event.kind === "usage") {
      const cached = event.cachedTokens > 0 ? `, ${event.cachedTokens} of them cached` : "";
      this.#prompt = `prompt ${event.promptTokens} tokens${cached}`;
    } else if (event.kind === "finished") {
      if (event.tokens > 0) this.#tokens = event.tokens;
      if (event.tokensPerSecond > 0) this.#measured = event.tokensPerSecond;
    } else {
      this.#firstAt ??= now;
      this.#lastAt = now;
      this.#tokens += 1;
    }
  }

  waiting(now: number): string {
    return this.#firstAt === null ? `waiting ${formatSeconds(now - this.#sentAt)}` : this.describe();
  }

  /** Empty when no token came. */
  describe(): string {
    if (this.#firstAt === null) return "";
    const rate = this.#measured ?? this.#observed(this.#firstAt);
    const parts = [
      `TTFT ${formatSeconds(this.#firstAt - this.#sentAt)}`,
      ...(rate === null ? [] : [`${rate.toFixed(1)} tok/s`]),
      `${this.#tokens} ${this.#tokens === 1 ? "token" : "tokens"}`,
      ...(this.#prompt === "" ? [] : [this.#prompt]),
    ];
    return parts.join(" · ");
  }

  /** The first token is the prefill's: the rate counts those after it. */
  #observed(firstAt: number): number | null {
    const milliseconds = this.#lastAt - firstAt;
    return milliseconds > 0 ? ((this.#tokens - 1) * 1000) / milliseconds : null;
  }
}
