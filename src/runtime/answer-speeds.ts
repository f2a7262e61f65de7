import type { MeasuredSpeed } from "../cluster/prediction-record.js";
import type { InferenceEvent, Timings, Usage } from "../core/inference.js";
import { spreadOf } from "../core/statistics.js";

/** Tokens of the prompt that predictions are made for, and below which nothing can be told of one. */
const PROMPT_TOKENS = 512;
const LEAST_PROMPT_TOKENS = 128;
const LEAST_DECODED_TOKENS = 8;
/** Requests of which the median is taken. */
const WINDOW = 16;

/** How fast a ring answers requests that it answers alone, lately: what a plan predicts. */
export class AnswerSpeeds {
  readonly #ttfts: number[] = [];
  readonly #rates: number[] = [];
  #requests = 0;
  /** Answers under way, and how many began so far. */
  #underWay = 0;
  #begun = 0;

  /**
   * Hands the events of one answer on, and learns from how it ended.
   *
   * @param whole not so where only its end is computed here: that is no answer as predicted
   */
  async *watch(events: AsyncIterable<InferenceEvent>, whole = true): AsyncGenerator<InferenceEvent, void, void> {
    this.#underWay += 1;
    this.#begun += 1;
    const begun = this.#begun;
    const first = whole && this.#underWay === 1;
    try {
      for await (const event of events) {
        if (event.type === "finished" && first && this.#begun === begun) this.#record(event.usage, event.timings);
        yield event;
      }
    } finally {
      this.#underWay -= 1;
    }
  }

  summary(): MeasuredSpeed {
    return {
      ttftSeconds: medianOf(this.#ttfts),
      decodeTokensPerSecond: medianOf(this.#rates),
      requests: this.#requests,
    };
  }

  #record(usage: Usage, { prefillSeconds, decodeSeconds }: Timings): void {
    const prompt = usage.promptTokens - usage.cachedTokens;
    const decoded = usage.completionTokens - 1;
    const byPrompt = prompt >= LEAST_PROMPT_TOKENS && prefillSeconds > 0;
    // Drafted tokens come faster than what is predicted.
    const byDecode = decoded >= LEAST_DECODED_TOKENS && decodeSeconds > 0 && usage.acceptedDraftTokens === 0;
    if (byPrompt) keep(this.#ttfts, (prefillSeconds * PROMPT_TOKENS) / prompt);
    if (byDecode) keep(this.#rates, decoded / decodeSeconds);
    if (byPrompt || byDecode) this.#requests += 1;
  }
}

function keep(list: number[], value: number): void {
  list.push(value);
  if (list.length > WINDOW) list.shift();
}

function medianOf(list: readonly number[]): number | null {
  return list.length === 0 ? null : spreadOf(list).median;
}
