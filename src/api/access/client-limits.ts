import type { FastifyReply } from "fastify";
import type { Clock } from "../../core/ports.js";
import type { Caller } from "./caller.js";
import { rateLimited } from "./rate-limited.js";
import { TokenBuckets } from "./token-buckets.js";

export interface ClientLimitsOptions {
  /** Requests of one client; `null`: as many as he likes. */
  readonly perMinute: number | null;
  readonly atOnce: number | null;
  readonly clock: Clock;
}

/** How long a client should wait when his own requests are in the way. Milliseconds. */
const OWN_WAIT_MS = 1000;

/** How much each client may ask for. */
export class ClientLimits {
  readonly #options: ClientLimitsOptions;
  readonly #buckets: TokenBuckets | null;
  readonly #underWay = new Map<string, number>();

  constructor(options: ClientLimitsOptions) {
    const { perMinute, clock } = options;
    this.#options = options;
    this.#buckets = perMinute === null ? null : new TokenBuckets({ size: perMinute, perMinute, clock });
  }

  /** Counts a request until its response is over. Throws `rate_limited`. */
  take({ client }: Caller, response: FastifyReply["raw"]): void {
    const { perMinute, atOnce } = this.#options;
    const wait = this.#buckets?.wait(client) ?? 0;
    if (wait > 0)
      throw rateLimited(`More than ${perMinute} requests in a minute are not answered for one client`, wait);
    const before = this.#underWay.get(client) ?? 0;
    if (atOnce !== null && before >= atOnce) {
      throw rateLimited(`${before} requests of yours are under way already, and more are not allowed`, OWN_WAIT_MS);
    }
    this.#buckets?.take(client);
    this.#underWay.set(client, before + 1);
    response.once("close", () => this.#ended(client));
  }

  #ended(client: string): void {
    const left = (this.#underWay.get(client) ?? 1) - 1;
    if (left > 0) this.#underWay.set(client, left);
    else this.#underWay.delete(client);
  }
}
