import { networkInterfaces } from "node:os";

const ANY_HOST: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]"]);

/** A host under which others may reach a server that listens on `host`: the first outside address, when it is "any". */
export function reachableHost(host: string): string {
  if (!ANY_HOST.has(host)) return host;
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find((address) => !address.internal && address.family === "IPv4");
  return outside?.address ?? "127.0.0.1";
}
