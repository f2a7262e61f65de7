import type { IncomingHttpHeaders } from "node:http";
import { ANY_ORIGIN } from "../../config/origin.js";
import { HttpError } from "../http-error.js";

interface Question {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Against pages of others: a page that somebody opens can have his browser send requests to this machine, and although it
 * cannot read the answers, what it asks for would be done. Browsers say from where a request comes; other programs say
 * nothing, and are not hindered.
 */
export class OriginCheck {
  readonly #allowed: ReadonlySet<string>;

  /** @param allowed as `parseOrigin` gives them */
  constructor(allowed: readonly string[]) {
    this.#allowed = new Set(allowed);
  }

  /** The origin that may read the answer because it was named; `null`: the page is ours, or it is no page. */
  namedOrigin({ headers }: Question): string | null {
    const { origin } = headers;
    if (origin === undefined || isOwn(origin, headers)) return null;
    return this.#allowed.has(origin.toLowerCase()) || this.#allowed.has(ANY_ORIGIN) ? origin : null;
  }

  /** Throws `origin_not_allowed` for what a page of others has a browser send. */
  check(question: Question): void {
    const { headers } = question;
    if (this.namedOrigin(question) !== null) return;
    if (headers.origin !== undefined) {
      if (!isOwn(headers.origin, headers)) throw refused(headers.origin);
      return;
    }
    if (!comesFromElsewhere(headers) || isVisit(question)) return;
    throw refused("of another page");
  }
}

/** A page of this node, over HTTP or behind a proxy that ends TLS. What the `Host` header may be is checked before. */
function isOwn(origin: string, { host = "" }: IncomingHttpHeaders): boolean {
  const text = origin.toLowerCase();
  return host !== "" && (text === `http://${host.toLowerCase()}` || text === `https://${host.toLowerCase()}`);
}

/** Another port of the same machine is the same site, but not the same page. `none`: somebody typed the address. */
function comesFromElsewhere(headers: IncomingHttpHeaders): boolean {
  const site = headers["sec-fetch-site"];
  return site === "cross-site" || site === "same-site";
}

/** Somebody follows a link: he sees what comes, the page that holds the link does not. */
function isVisit({ method, headers }: Question): boolean {
  const { "sec-fetch-mode": mode, "sec-fetch-dest": destination } = headers;
  return (method === "GET" || method === "HEAD") && mode === "navigate" && destination === "document";
}

function refused(origin: string): HttpError {
  const who = JSON.stringify(origin.slice(0, 100));
  return new HttpError(
    "origin_not_allowed",
    `Web pages of the origin ${who} may not use this node; whoever runs it can let them with --cors-origin.`,
  );
}
