import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ExoError } from "../core/errors.js";
import { toErrorResponse } from "./error-response.js";
import { errorBody } from "./error-shape.js";
import { HttpError } from "./http-error.js";
import { logFailure } from "./log-failure.js";

/** Makes every failure of every route, and of no route, an answer in the shape of the path's API. */
export function answerErrors(app: FastifyInstance, bodyLimitBytes: number): void {
  app.setErrorHandler((thrown: unknown, request, reply) =>
    sendError(asHttpError(thrown, bodyLimitBytes), request, reply),
  );
  app.setNotFoundHandler((request, reply) => {
    const path = JSON.stringify(request.url.split("?")[0]?.slice(0, 200));
    const message = `There is no route ${request.method} ${path} here; docs/api.md lists what there is.`;
    return sendError(new HttpError("route_not_found", message), request, reply);
  });
}

export function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  // Probes read again and again that a node is not ready yet.
  logFailure(request.log, thrown, request.method === "GET" || request.method === "HEAD");
  const response = toErrorResponse(thrown, request.id);
  const body = errorBody(request.url, response, request.id);
  return reply.code(response.status).headers(response.headers).send(body);
}

/**
 * Gives every path a 405 for the methods it has no route for. Call after the last route.
 *
 * @param routes path → methods, as `collectRoutes` saw them
 */
export function refuseOtherMethods(app: FastifyInstance, routes: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [url, methods] of [...routes]) {
    const allowed = [...methods].sort().join(", ");
    app.route({
      url,
      method: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].filter((method) => !methods.has(method)),
      onRequest: (request) => {
        const message = `${request.method} is not allowed for this path; use ${allowed}.`;
        throw new HttpError("method_not_allowed", message, { allow: allowed });
      },
      handler: () => {},
    });
  }
}

/** Path → methods of every route added from now on. */
export function collectRoutes(app: FastifyInstance): ReadonlyMap<string, ReadonlySet<string>> {
  const routes = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }) => {
    const methods = routes.get(url) ?? new Set<string>();
    for (const one of [method].flat()) methods.add(one);
    routes.set(url, methods);
  });
  return routes;
}

/** Fastify's own refusals, and bodies that broke off, in our words; anything else unchanged. */
export function asHttpError(thrown: unknown, bodyLimitBytes: number): unknown {
  if (!isClientFault(thrown)) return thrown;
  switch (Reflect.get(thrown, "code")) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new HttpError("body_too_large", `The request body is larger than the ${bodyLimitBytes} bytes allowed.`);
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new HttpError(
        "unsupported_media_type",
        "The request body must be JSON, sent with the header `Content-Type: application/json`.",
      );
    default:
      return new HttpError("malformed_request", `The HTTP request is malformed: ${thrown.message}.`);
  }
}

/** Fastify marks what the client did wrong by a status. */
function isClientFault(thrown: unknown): thrown is Error {
  // Ours, on which fastify may have put a status.
  if (!(thrown instanceof Error) || thrown instanceof ExoError || thrown instanceof HttpError) return false;
  const status: unknown = Reflect.get(thrown, "statusCode");
  return typeof status === "number" && status >= 400 && status < 500;
}
