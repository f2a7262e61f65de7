import type { AddressInfo } from "node:net";
import { isIPv6 } from "node:net";
import type { FastifyInstance } from "fastify";
import { ExoError } from "../core/errors.js";

export interface ApiAddress {
  readonly host: string;
  readonly port: number;
  /** Where a browser on this machine finds it. */
  readonly url: string;
}

/** Binds the server; what goes wrong names the address and the flag. Port 0: any free one. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<ApiAddress> {
  try {
    await app.listen({ host, port, listenTextResolver: (address) => `HTTP API listens at ${address}` });
  } catch (thrown) {
    throw explained(thrown, `${bracketed(host)}:${port}`);
  }
  const bound = boundPort(app.server.address()) ?? port;
  return { host, port: bound, url: `http://${bracketed(reachable(host))}:${bound}` };
}

function explained(thrown: unknown, at: string): ExoError {
  const code: unknown = thrown instanceof Error ? Reflect.get(thrown, "code") : null;
  switch (code) {
    case "EADDRINUSE":
      return new ExoError(
        "port_in_use",
        `Another program listens on the HTTP address ${at} already; stop it, or choose another address with --http.`,
        { cause: thrown, param: "--http" },
      );
    case "EACCES":
      return refused(
        `This user may not listen on the HTTP address ${at}; choose a port above 1023 with --http.`,
        thrown,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return refused(`This machine has no address ${at} to listen on; choose one it has with --http.`, thrown);
    default:
      return ExoError.from(thrown);
  }
}

function refused(message: string, cause: unknown): ExoError {
  return new ExoError("invalid_argument", message, { cause, param: "--http" });
}

function boundPort(address: AddressInfo | string | null): number | null {
  return typeof address === "object" && address !== null ? address.port : null;
}

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** "All interfaces" is no address to go to. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}
