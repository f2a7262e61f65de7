import type { FastifyReply, FastifyRequest } from "fastify";
import type { OriginCheck } from "./origin-check.js";

/** What a page of a named origin may read besides the body. */
const EXPOSED = "x-request-id, request-id, retry-after, x-should-retry, x-exo-native-notice";
/** Seconds for which a browser need not ask again. */
const MAX_AGE = "600";
const HEADER_LIST = /^[a-z0-9-]+(?:\s*,\s*[a-z0-9-]+)*$/i;

/**
 * Lets pages of named origins read answers. Cookies or log-ins of the browser are never asked for: a page has to have a key
 * of its own. Returns whether the request was a browser's question whether it may ask, which is answered then.
 */
export function answerOrigin(origins: OriginCheck, request: FastifyRequest, reply: FastifyReply): boolean {
  const origin = origins.namedOrigin(request);
  // Caches must not give the answer for one origin to another.
  reply.header("vary", "Origin");
  if (origin === null) return false;
  reply.headers({ "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED });
  const method = request.headers["access-control-request-method"];
  if (request.method !== "OPTIONS" || method === undefined) return false;
  const wanted = request.headers["access-control-request-headers"];
  reply.headers({
    "access-control-allow-methods": "GET, POST, DELETE",
    "access-control-max-age": MAX_AGE,
    ...(wanted !== undefined && wanted.length < 2000 && HEADER_LIST.test(wanted)
      ? { "access-control-allow-headers": wanted }
      : {}),
    // Chrome asks so before a page of the Internet reaches into a local network.
    ...(request.headers["access-control-request-private-network"] === "true"
      ? { "access-control-allow-private-network": "true" }
      : {}),
  });
  reply.code(204).send();
  return true;
}
