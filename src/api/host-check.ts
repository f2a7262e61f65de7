import { isIP } from "node:net";
import { isLoopback } from "../core/loopback.js";
import { HttpError } from "./http-error.js";

export interface HostCheckOptions {
  /** What the server was asked to listen on. */
  readonly boundHost: string;
  /** Names of `--allowed-host`, in lower case. */
  readonly allowed: readonly string[];
  /** Of this machine. */
  readonly machineName: string;
  /** A key is asked for, which a web page of somebody else does not have. */
  readonly withKeys: () => boolean;
}

/**
 * Against DNS rebinding: a web page can make its own host name resolve to an address of this machine and so reach the
 * server as if it were the page's own, but it cannot change the `Host` header that the browser then sends. So no name may
 * stand there that a stranger can own. `X-Forwarded-Host` is not looked at: whoever sends it may write what he likes.
 */
export function createHostCheck(options: HostCheckOptions): (hostHeader: string | undefined, url: string) => void {
  return (hostHeader, url) => {
    // A request line may hold a whole address, which then counts as much.
    for (const authority of [hostHeader ?? "", authorityOf(url)]) {
      if (authority !== null) check(authority, options);
    }
  };
}

function check(authority: string, options: HostCheckOptions): void {
  const name = hostName(authority);
  if (name !== null && isAllowed(name, options)) return;
  const shown = JSON.stringify(authority.slice(0, 100));
  throw new HttpError(
    "host_not_allowed",
    `This node does not answer to the host ${shown}, to keep web pages of others out; ${remedy(options)}.`,
  );
}

function isAllowed(name: string, { boundHost, allowed, machineName, withKeys }: HostCheckOptions): boolean {
  if (allowed.includes(name) || name === boundHost.toLowerCase()) return true;
  if (isLoopback(boundHost)) return isLoopback(name) || name.endsWith(".localhost");
  return withKeys() || isNobodysElse(name, machineName.toLowerCase());
}

/** Endings that nobody can register, or below which only the owner of the network says where a name leads. */
const PRIVATE_ENDINGS = [".localhost", ".local", ".internal", ".home.arpa", ".lan", ".svc", ".ts.net"];

/** An address is no name; names without a dot, and with these endings, are those of the local network. */
function isNobodysElse(name: string, machineName: string): boolean {
  if (isIP(name) !== 0 || (!name.includes(".") && name !== "")) return true;
  return name === machineName || PRIVATE_ENDINGS.some((ending) => name.endsWith(ending));
}

function remedy({ boundHost }: HostCheckOptions): string {
  const own = isLoopback(boundHost)
    ? `it listens on ${boundHost} only and answers to localhost, 127.0.0.1 and [::1]`
    : "it answers to addresses and to names of the local network";
  return `${own}. For another name start it with --allowed-host`;
}

/** The authority of a request line that holds a whole address; `null` for a path. */
function authorityOf(url: string): string | null {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1] ?? null;
}

/** In lower case, without port, brackets, and the dot at the end of a whole name; `null`: it can be no host. */
function hostName(authority: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+(?:%[a-z0-9._-]+)?)\]|([a-z0-9._-]*))(?::\d{0,5})?$/.exec(
    authority.trim().toLowerCase(),
  );
  if (match === null) return null;
  return match[1] ?? (match[2] ?? "").replace(/\.$/, "");
}
