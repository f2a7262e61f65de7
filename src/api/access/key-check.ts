import { createHmac, randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { SCOPES, type Scope } from "../../config/keys/scopes.js";
import { ExoError } from "../../core/errors.js";
import type { Clock } from "../../core/ports.js";
import { HttpError } from "../http-error.js";
import type { Caller } from "./caller.js";
import { clientAddress } from "./client-address.js";
import type { KeyRing } from "./key-ring.js";
import { rateLimited } from "./rate-limited.js";
import { TokenBuckets } from "./token-buckets.js";

/** Wrong keys that an address may send at once, and in a minute. */
const WRONG_AT_ONCE = 10;
const WRONG_PER_MINUTE = 10;

/** Finds out who sends a request, and refuses who has no key where one is asked for. */
export class KeyCheck {
  readonly #keys: KeyRing;
  readonly #wrong: TokenBuckets;
  /** What clients are called is of no use to anybody who reads it elsewhere, on the head say. */
  readonly #salt = randomBytes(16);

  constructor(keys: KeyRing, clock: Clock) {
    this.#keys = keys;
    this.#wrong = new TokenBuckets({ size: WRONG_AT_ONCE, perMinute: WRONG_PER_MINUTE, clock });
  }

  /** Throws `unauthorized`, or `rate_limited` when too many wrong keys came from there. */
  async callerOf(headers: IncomingHttpHeaders, remoteAddress: string | undefined): Promise<Caller> {
    await this.#keys.refresh();
    const address = clientAddress(remoteAddress);
    if (!this.#keys.required) return { client: this.#named(`address ${address}`), scopes: SCOPES };
    const presented = presentedKeys(headers);
    if (presented.length === 0) {
      throw new ExoError("unauthorized", "This node asks for an API key; send it as `Authorization: Bearer <key>`.");
    }
    const wait = this.#wrong.wait(address);
    for (const text of presented) {
      const key = this.#keys.find(text, wait === 0);
      if (key !== null) return { client: this.#named(`key ${key.sha256}`), scopes: key.scopes };
    }
    if (wait > 0) throw rateLimited("Too many wrong API keys came from your address", wait);
    this.#wrong.take(address);
    const whose = "ask whoever runs this node for one (`exo-native keys create`)";
    throw new ExoError("unauthorized", `The API key is wrong, expired or revoked; ${whose}.`);
  }

  #named(who: string): string {
    return createHmac("sha256", this.#salt).update(who).digest("hex").slice(0, 16);
  }
}

/** Throws `scope_missing` unless the key is good for one of these. */
export function requireScope({ scopes }: Caller, needed: readonly Scope[]): void {
  if (needed.some((scope) => scopes.includes(scope))) return;
  const message = `This API key is good for ${scopes.join(" and ")}; what is asked for takes one for ${needed.join(" or ")}.`;
  throw new HttpError("scope_missing", message);
}

/** In the forms of OpenAI's and of Anthropic's clients; some send both, one of them empty of meaning. */
function presentedKeys(headers: IncomingHttpHeaders): readonly string[] {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  const plain = headers["x-api-key"];
  return [bearer, plain].flat().filter((key): key is string => key !== undefined && key !== "");
}
