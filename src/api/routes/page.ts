import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { readVendorModule, VENDOR_MODULES } from "../vendor-modules.js";

/** Seen from `dist/src/api/routes`, in a checkout and in an installed package alike. */
const PAGE = fileURLToPath(new URL("../../../../src/web/static", import.meta.url));
const MODULES = fileURLToPath(new URL("../../web", import.meta.url));

/** The web page at `/`, its compiled modules at `/modules/`, and the packages that these import. */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  const headers = {
    "content-security-policy": contentSecurityPolicy(await readFile(join(PAGE, "index.html"), "utf8")),
    "cache-control": "no-cache",
  };
  const setHeaders = (reply: { header(name: string, value: string): unknown }): void => {
    for (const [name, value] of Object.entries(headers)) reply.header(name, value);
  };
  // Without the wildcard only the files that exist now are routes: no path is ever looked up on disk.
  const common = { wildcard: false, decorateReply: false, cacheControl: false, setHeaders } as const;
  await app.register(fastifyStatic, { ...common, root: PAGE, prefix: "/" });
  const globIgnore = ["**/*.map", "**/*.d.ts"];
  await app.register(fastifyStatic, { ...common, root: MODULES, prefix: "/modules/", globIgnore });
  for (const module of VENDOR_MODULES) {
    app.get(`/modules/vendor/${module.name}`, async (_request, reply) => {
      reply.headers(headers).type("text/javascript; charset=utf-8");
      return readVendorModule(module);
    });
  }
}

/**
 * Nothing from elsewhere, nothing inline but the page's own import map: what a model writes can never become a script.
 */
function contentSecurityPolicy(page: string): string {
  return [
    "default-src 'none'",
    `script-src 'self' ${importMapHashes(page).join(" ")}`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

function importMapHashes(page: string): readonly string[] {
  // Browsers read a line's end as one character, however the file was checked out.
  const maps = page.replaceAll("\r\n", "\n").matchAll(/<script type="importmap">([\s\S]*?)<\/script>/g);
  return [...maps].map(([, text = ""]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`);
}
