import { BlockList, isIP } from "node:net";
import { HttpError } from "./http-error.js";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0 ? host === "localhost" : loopback.check(host, family === 6 ? "ipv6" : "ipv4");
}

/**
 * Against DNS rebinding: a web page can make its own host name resolve to 127.0.0.1 and so reach a server on loopback
 * as if it were the page's own, but it cannot change the `Host` header that the browser then sends.
 *
 * @param boundHost what the server was asked to listen on; the check applies when that is loopback only
 */
export function createHostCheck(boundHost: string): (hostHeader: string | undefined) => void {
  if (!isLoopback(boundHost)) return () => {};
  const allowed = new Set(["localhost", "127.0.0.1", "::1", boundHost.toLowerCase()]);
  return (hostHeader) => {
    const name = hostName(hostHeader ?? "");
    if (allowed.has(name)) return;
    throw new HttpError(
      "host_not_allowed",
      `This node listens on ${boundHost} only and answers to localhost, 127.0.0.1 and [::1], not to the host ` +
        `${JSON.stringify(name)}; start it with --http 0.0.0.0:52415 to reach it by another name.`,
    );
  };
}

/** The name in a `Host` header, in lower case and without port or brackets. */
function hostName(header: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(header.trim().toLowerCase());
  return match?.[1] ?? match?.[2] ?? header;
}
