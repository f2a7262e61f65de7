import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply } from "fastify";

/** Seen from `dist/src/api/routes`, in a checkout and in an installed package alike. */
const PAGE = fileURLToPath(new URL("../../../../src/web/static", import.meta.url));
const MODULES = fileURLToPath(new URL("../../web", import.meta.url));

/** Nothing from elsewhere, nothing inline: what a model writes can never become a script. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The web page at `/` and its compiled modules at `/modules/`. */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  const setHeaders = (reply: FastifyReply): void => {
    reply.header("content-security-policy", CONTENT_SECURITY_POLICY);
    reply.header("cache-control", "no-cache");
  };
  // Without the wildcard only the files that exist now are routes: no path is ever looked up on disk.
  const common = { wildcard: false, decorateReply: false, cacheControl: false, setHeaders } as const;
  await app.register(fastifyStatic, { ...common, root: PAGE, prefix: "/" });
  await app.register(fastifyStatic, { ...common, root: MODULES, prefix: "/modules/", globIgnore: ["**/*.map"] });
}
