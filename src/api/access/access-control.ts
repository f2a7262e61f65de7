import type { FastifyInstance } from "fastify";
import type { Clock, Logger } from "../../core/ports.js";
import { createHostCheck } from "../host-check.js";
import { BODY_BUDGET, BodyBudget } from "./body-budget.js";
import { setCaller } from "./caller.js";
import { ClientLimits } from "./client-limits.js";
import { answerOrigin } from "./cors.js";
import { KeyCheck, requireScope } from "./key-check.js";
import { KeyRing } from "./key-ring.js";
import { OriginCheck } from "./origin-check.js";
import { scopesOf } from "./route-scopes.js";
import { SECURITY_HEADERS } from "./security-headers.js";

/** Who may ask, and for how much; everything may be left out. */
export interface AccessOptions {
  /** Good for everything. */
  readonly apiKeys?: readonly string[];
  /** File of further keys. */
  readonly keyFile?: string;
  readonly allowedHosts?: readonly string[];
  /** Origins of pages that may read answers. */
  readonly corsOrigins?: readonly string[];
  /** Requests of one client per minute. */
  readonly rateLimit?: number | null;
  /** Requests of one client at once. */
  readonly clientRequests?: number | null;
  /** For the bodies of all requests under way together. */
  readonly bodyBudgetBytes?: number;
}

export interface AccessControlInit extends AccessOptions {
  readonly boundHost: string;
  readonly machineName: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** All that stands between a request and the route that answers it. */
export class AccessControl {
  readonly #keys: KeyRing;
  readonly #keyCheck: KeyCheck;
  readonly #limits: ClientLimits;
  readonly #origins: OriginCheck;
  readonly #bodies: BodyBudget;
  readonly #checkHost: ReturnType<typeof createHostCheck>;

  constructor(init: AccessControlInit) {
    const { clock, logger, boundHost, machineName, rateLimit = null, clientRequests = null } = init;
    this.#keys = new KeyRing({ plain: init.apiKeys ?? [], file: init.keyFile ?? null, clock, logger });
    this.#keyCheck = new KeyCheck(this.#keys, clock);
    this.#limits = new ClientLimits({ perMinute: rateLimit, atOnce: clientRequests, clock });
    this.#origins = new OriginCheck(init.corsOrigins ?? []);
    this.#bodies = new BodyBudget(init.bodyBudgetBytes ?? BODY_BUDGET);
    const withKeys = (): boolean => this.#keys.required;
    this.#checkHost = createHostCheck({ boundHost, allowed: init.allowedHosts ?? [], machineName, withKeys });
  }

  /** Throws `invalid_argument` when the file of keys cannot be used. */
  open(): Promise<void> {
    return this.#keys.open();
  }

  /** Of all routes, and of paths that are none: where the request comes from. */
  guardAll(app: FastifyInstance): void {
    app.addHook("onRequest", async (request, reply) => {
      reply.headers(SECURITY_HEADERS);
      this.#checkHost(request.headers.host, request.raw.url ?? "");
      if (answerOrigin(this.#origins, request, reply)) return reply;
      this.#origins.check(request);
      return undefined;
    });
    this.#bodies.attach(app);
  }

  /** Of the routes that do something: who asks, and whether he may. */
  guardRoutes(app: FastifyInstance): void {
    app.addHook("onRoute", ({ method, url }) => {
      for (const one of [method].flat()) {
        if (scopesOf(one, url) === undefined) throw new Error(`Nobody said what a key needs for ${one} ${url}.`);
      }
    });
    app.addHook("onRequest", async (request, reply) => {
      const { method, routeOptions, headers, raw } = request;
      const caller = await this.#keyCheck.callerOf(headers, raw.socket.remoteAddress);
      setCaller(request, caller);
      this.#limits.take(caller, reply.raw);
      requireScope(caller, scopesOf(method, routeOptions.url ?? "") ?? []);
    });
  }
}
