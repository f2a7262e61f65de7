import type { FastifyRequest } from "fastify";
import { SCOPES, type Scope } from "../../config/keys/scopes.js";

/** Who sends a request, as far as this node knows. */
export interface Caller {
  /** The same for all of his requests, and of no meaning beyond this process. */
  readonly client: string;
  readonly scopes: readonly Scope[];
}

/** For routes that no key guards, and where there are none. */
const ANYBODY: Caller = { client: "", scopes: SCOPES };

const CALLERS = new WeakMap<FastifyRequest, Caller>();

export function setCaller(request: FastifyRequest, caller: Caller): void {
  CALLERS.set(request, caller);
}

export function callerOf(request: FastifyRequest): Caller {
  return CALLERS.get(request) ?? ANYBODY;
}
