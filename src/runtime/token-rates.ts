import type { RingRatesRecord } from "../cluster/ring-rates.js";
import type { Clock } from "../core/ports.js";

/** What is older says little about how fast a ring is now. Milliseconds. */
const WINDOW = 10_000;

/** Samples nearer to each other than this are added up, so that a fast ring keeps no more of them than a slow one. */
const GRAIN = 100;

interface Sample {
  readonly at: number;
  tokens: number;
  /** Milliseconds in which such tokens were under way and that no earlier sample counts. */
  busy: number;
}

/**
 * How fast tokens of one kind were computed lately: tokens divided by the time in which some of them were under way. So
 * a pause between two requests does not count as slowness, and several requests at once add up.
 */
class Rate {
  #samples: Sample[] = [];
  #countedUntil = Number.NEGATIVE_INFINITY;

  /** `tokens` were computed from `begun` to `ended`, milliseconds of one clock. */
  add(tokens: number, begun: number, ended: number): void {
    const busy = Math.max(0, ended - Math.max(begun, this.#countedUntil));
    this.#countedUntil = Math.max(this.#countedUntil, ended);
    const last = this.#samples.at(-1);
    if (last !== undefined && ended - last.at < GRAIN) {
      last.tokens += tokens;
      last.busy += busy;
      return;
    }
    this.#forget(ended);
    this.#samples.push({ at: ended, tokens, busy });
  }

  /** Tokens per second; 0 when there were none lately. */
  perSecond(now: number): number {
    this.#forget(now);
    const sum = (field: "tokens" | "busy") => this.#samples.reduce((total, sample) => total + sample[field], 0);
    const busy = sum("busy");
    return busy === 0 ? 0 : (sum("tokens") * 1000) / busy;
  }

  #forget(now: number): void {
    const kept = this.#samples.findIndex(({ at }) => now - at <= WINDOW);
    this.#samples.splice(0, kept < 0 ? this.#samples.length : kept);
  }
}

/** What a micro-batch that came back had in it. */
export interface LandedTokens {
  /** Tokens chosen for requests that go on; the first of an answer is the end of its prompt's time. */
  readonly decoded: number;
  readonly promptRows: number;
  /** Seconds that it was under way. */
  readonly seconds: number;
}

/** How fast a ring has answered in the last seconds. */
export class TokenRates {
  readonly #clock: Clock;
  readonly #decode = new Rate();
  readonly #prompt = new Rate();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  landed({ decoded, promptRows, seconds }: LandedTokens): void {
    const ended = this.#clock.monotonic();
    const begun = ended - seconds * 1000;
    if (decoded > 0) this.#decode.add(decoded, begun, ended);
    if (promptRows > 0) this.#prompt.add(promptRows, begun, ended);
  }

  now(): RingRatesRecord {
    const at = this.#clock.monotonic();
    return { decode: this.#decode.perSecond(at), prompt: this.#prompt.perSecond(at) };
  }
}
