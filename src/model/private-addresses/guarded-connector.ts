import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { ExoError } from "../../core/errors.js";
import { isPublicAddress } from "./public-address.js";

/** As `node:dns`' own, with all of a name's addresses. */
export type ResolveName = (
  name: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface GuardOptions {
  /** `host:port` that the owner of this machine named, which may be anywhere. */
  readonly allowed: ReadonlySet<string>;
  readonly resolve?: ResolveName;
}

const PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/**
 * Opens connections to addresses of the Internet only. It is asked for every connection, so also after a redirect; and the
 * address that is looked at is the one that is then connected to, so a name cannot mean another one in between.
 */
export function guardedConnector({ allowed, resolve = lookup }: GuardOptions): buildConnector.connector {
  const free = buildConnector({});
  const guarded = buildConnector({ lookup: publicLookup(resolve) });
  return (options, callback) => {
    const host = unbracketed(options.hostname);
    if (allowed.has(hostKey(host, options.port || (PORTS[options.protocol] ?? "")))) return free(options, callback);
    if (isIP(host) !== 0 && !isPublicAddress(host)) return callback(privateAddress(host), null);
    return guarded(options, callback);
  };
}

/** How an allowed host is written. */
export function hostKey(host: string, port: string): string {
  return `${host.toLowerCase()} ${port}`;
}

export function hostKeyOf(url: URL): string {
  return hostKey(unbracketed(url.hostname), url.port || (PORTS[url.protocol] ?? ""));
}

function publicLookup(resolve: ResolveName): LookupFunction {
  return (name, options, callback) => {
    resolve(name, { ...options, all: true }, (error, addresses) => {
      const usable = error === null ? addresses.filter(({ address }) => isPublicAddress(address)) : [];
      const [first] = usable;
      if (error !== null) callback(error, []);
      else if (first === undefined) callback(privateAddress(name), []);
      else if (options.all === true) callback(null, usable);
      else callback(null, first.address, first.family);
    });
  };
}

export function privateAddress(host: string): ExoError {
  return new ExoError(
    "invalid_argument",
    `${host} is a private address, or leads to one: this node fetches nothing from there when it is asked over HTTP. Its owner can allow that with --allow-private-downloads, or fetch the model with "exo-native models pull".`,
    { param: "model" },
  );
}

function unbracketed(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}
