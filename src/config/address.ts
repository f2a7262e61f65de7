import { isIPv6 } from "node:net";

/** Where a peer is reached. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where this node listens; `host: null` leaves the choice of interface to the node (loopback, or all when open). */
export interface ListenAddress {
  readonly host: string | null;
  /** 0: any free port. */
  readonly port: number;
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;

function parsePort(text: string): number | null {
  if (!/^\d{1,5}$/.test(text)) return null;
  const port = Number(text);
  return port <= 65_535 ? port : null;
}

function parseHost(text: string): string | null {
  if (text.startsWith("[")) {
    const address = text.endsWith("]") ? text.slice(1, -1) : "";
    return isIPv6(address) ? address : null;
  }
  return HOST_NAME.test(text) ? text : null;
}

/** Splits at the last colon outside brackets; a bare IPv6 address has no port. */
function split(text: string): { host: string; port: string | null } {
  if (isIPv6(text)) return { host: `[${text}]`, port: null };
  const colon = text.lastIndexOf(":");
  if (colon <= text.lastIndexOf("]")) return { host: text, port: null };
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

/** `host:port`, `[v6]:port`, or a host alone, which takes the default port. `null` when it is none of these. */
export function parseHostPort(text: string, defaultPort: number): HostPort | null {
  const parts = split(text.trim());
  const host = parseHost(parts.host);
  const port = parts.port === null ? defaultPort : parsePort(parts.port);
  return host === null || port === null || port === 0 ? null : { host, port };
}

/** `host:port`, `[v6]:port`, `:port` or a port alone. `null` when it is none of these. */
export function parseListenAddress(text: string): ListenAddress | null {
  const trimmed = text.trim();
  const parts = /^:?\d+$/.test(trimmed) ? { host: "", port: trimmed.replace(":", "") } : split(trimmed);
  const host = parts.host === "" ? "" : parseHost(parts.host);
  const port = parts.port === null ? null : parsePort(parts.port);
  return host === null || port === null ? null : { host: host === "" ? null : host, port };
}

/** The text that `parseHostPort` and gRPC understand: IPv6 in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
