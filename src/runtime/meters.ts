import type { RingTokensRecord } from "../cluster/ring-tokens.js";
import { Distribution } from "../core/distribution.js";
import { LabelledCounts } from "../core/labelled-counts.js";

/** Upper ends of classes, in seconds. */
const FIRST_TOKEN_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const TOKEN_SECONDS = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5];
const QUEUE_SECONDS = [0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];
const HOP_SECONDS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1];

/** Models whose numbers are kept, of rings that are gone too: a counter that vanished would be taken for a new one. */
const MOST_MODELS = 64;

/** What this node did as the head of the rings of one model, since it was started. */
export class ModelMeter {
  /** From the request's arrival here to its first token; seconds, as all of these. */
  readonly firstToken = new Distribution(FIRST_TOKEN_SECONDS);
  /** From one token of an answer to the next. */
  readonly betweenTokens = new Distribution(TOKEN_SECONDS);
  /** The mean of that over an answer, which drafted tokens that come together make smaller. */
  readonly perToken = new Distribution(TOKEN_SECONDS);
  readonly queue = new Distribution(QUEUE_SECONDS);
  /** By finish reason, or the error's code. */
  readonly outcomes = new LabelledCounts();
  readonly #hops: Distribution[] = [];
  promptTokens = 0;
  cachedTokens = 0;
  generatedTokens = 0;
  acceptedDraftTokens = 0;
  rejectedDraftTokens = 0;

  /** @param seconds of each hop of a micro-batch's way, the one from the head first */
  hopped(seconds: readonly number[]): void {
    for (let hop = 0; hop < seconds.length; hop += 1) this.#hop(hop).observe(seconds[hop] ?? 0);
  }

  hops(): readonly Distribution[] {
    return this.#hops;
  }

  tokens(): RingTokensRecord {
    return {
      prompt: this.promptTokens,
      cached: this.cachedTokens,
      generated: this.generatedTokens,
      acceptedDraft: this.acceptedDraftTokens,
      rejectedDraft: this.rejectedDraftTokens,
    };
  }

  #hop(index: number): Distribution {
    const known = this.#hops[index];
    if (known !== undefined) return known;
    const made = new Distribution(HOP_SECONDS);
    this.#hops[index] = made;
    return made;
  }
}

/** What a node counts while it works. */
export class NodeMeters {
  readonly #models = new Map<string, ModelMeter>();
  /** By model and reason: a ring that was placed anew. */
  readonly replans = new LabelledCounts();

  model(name: string): ModelMeter {
    const known = this.#models.get(name);
    if (known !== undefined) return known;
    const [oldest] = this.#models.keys();
    if (oldest !== undefined && this.#models.size >= MOST_MODELS) this.#models.delete(oldest);
    const made = new ModelMeter();
    this.#models.set(name, made);
    return made;
  }

  models(): Iterable<readonly [string, ModelMeter]> {
    return this.#models;
  }
}
