import { randomInt } from "node:crypto";
import type { InferenceEvent, InferenceRequest, Resumption, TokenLogprob } from "../core/inference.js";
import type { Clock } from "../core/ports.js";

type Event<Type extends InferenceEvent["type"]> = Extract<InferenceEvent, { type: Type }>;

/** Rings that one request may lose in a row without a token in between, and at all: it may be what breaks them. */
const MOST_LOST_IN_A_ROW = 3;
const MOST_LOST = 16;

const MOST_SEED = 2 ** 32 - 1;

/** What is known of an answer in the making: all that another ring needs to go on with it, and what its reader has had. */
export class RunningAnswer {
  readonly #request: InferenceRequest;
  readonly #clock: Clock;
  readonly #tokens: number[] = [];
  #held: readonly TokenLogprob[] = [];
  #started: Event<"started"> | null = null;
  /** The last words; a ring that is lost before it says how the answer ended will be asked for them anew. */
  #ending: Event<"delta"> | null = null;
  #isStuck = false;
  #lost = 0;
  #lostInARow = 0;
  /** The ring that is asked has begun to compute. */
  #computed = false;
  /** Milliseconds of the clock. */
  #askedAt: number | null = null;
  #startedAt = 0;
  #firstTokenAt: number | null = null;

  constructor(request: InferenceRequest, clock: Clock) {
    const { sampling } = request;
    // With its seed in our hands, an answer goes on as it would have, also where nobody asked for a seed.
    const seed = sampling.seed ?? randomInt(MOST_SEED);
    this.#request = { ...request, sampling: { ...sampling, seed } };
    this.#clock = clock;
  }

  /** Tokens that its reader knows of. */
  get tokens(): number {
    return this.#tokens.length;
  }

  /** Its reader has had some of it, and nobody knows which tokens that was: no other ring can go on with it. */
  get isStuck(): boolean {
    return this.#isStuck;
  }

  /** Whether a ring that was lost now would have been computing it. */
  get isComputed(): boolean {
    return this.#computed;
  }

  /** When the request says that it is too late; milliseconds of the clock. */
  get deadline(): number {
    const { timeoutSeconds } = this.#request;
    if (timeoutSeconds === undefined || this.#askedAt === null) return Number.POSITIVE_INFINITY;
    return this.#askedAt + timeoutSeconds * 1000;
  }

  /** What the next ring is asked. */
  ask(): InferenceRequest {
    this.#computed = false;
    this.#ending = null;
    const now = this.#clock.monotonic();
    this.#askedAt ??= now;
    if (this.#lost === 0) return this.#request;
    return { ...this.#request, resume: this.#resumption((now - this.#askedAt) / 1000) };
  }

  /** Takes an event of the ring; returns those that the reader is to have now. */
  take(event: InferenceEvent): readonly InferenceEvent[] {
    if (event.type === "started") return this.#start(event);
    const before = this.#ending === null ? [] : [this.#ending];
    this.#ending = null;
    if (event.type === "finished") return [...before, this.#whole(event)];
    if (before.length > 0) this.#isStuck = true;
    return [...before, ...this.#say(event)];
  }

  /** The ring that computed it is lost. Returns whether it may be given to another one. */
  lose(): boolean {
    this.#lost += 1;
    this.#lostInARow += 1;
    return this.#lost <= MOST_LOST && this.#lostInARow <= MOST_LOST_IN_A_ROW;
  }

  #resumption(elapsedSeconds: number): Resumption {
    return { tokens: [...this.#tokens], elapsedSeconds, ...(this.#held.length > 0 && { held: this.#held }) };
  }

  #start(event: Event<"started">): readonly InferenceEvent[] {
    this.#computed = true;
    if (this.#started !== null) return [];
    this.#started = event;
    this.#startedAt = this.#clock.monotonic();
    return [event];
  }

  /** Words without tokens are the last ones. Where more come after them, the ring is one that names no tokens. */
  #say({ tokens, held = [], ...told }: Event<"delta">): readonly InferenceEvent[] {
    if (tokens === undefined) {
      this.#ending = told;
      return [];
    }
    this.#firstTokenAt ??= this.#clock.monotonic();
    this.#lostInARow = 0;
    for (const token of tokens) this.#tokens.push(token);
    this.#held = held;
    return [told];
  }

  /** The reader asked once, whatever became of rings meanwhile. */
  #whole(event: Event<"finished">): InferenceEvent {
    const started = this.#started;
    if (this.#lost === 0 || started === null) return event;
    const now = this.#clock.monotonic();
    const firstTokenAt = this.#firstTokenAt ?? now;
    return {
      ...event,
      usage: { ...event.usage, cachedTokens: started.cachedTokens },
      timings: {
        queueSeconds: (this.#startedAt - (this.#askedAt ?? this.#startedAt)) / 1000,
        prefillSeconds: (firstTokenAt - this.#startedAt) / 1000,
        decodeSeconds: (now - firstTokenAt) / 1000,
      },
    };
  }
}
