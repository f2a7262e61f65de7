import type { ListenAddress } from "../config/address.js";
import { isLoopback } from "../transport/loopback.js";
import type { LocalInterface } from "./interfaces.js";

/**
 * The interfaces with those of their addresses at which a server that listens on `host` answers: announcing another one
 * would send peers to a closed door.
 *
 * @param host `null`: on all of them
 */
export function listeningOn(
  host: ListenAddress["host"],
  interfaces: readonly LocalInterface[],
): readonly LocalInterface[] {
  if (host === null || host === "::") return interfaces;
  return interfaces
    .map((one) => {
      const addresses = one.addresses.filter(({ address, family }) =>
        host === "0.0.0.0" ? family === 4 : address === host,
      );
      return { ...one, addresses };
    })
    .filter(({ addresses }) => addresses.length > 0);
}

/** Whether a server that listens there can be reached from elsewhere. */
export function leavesThisMachine(open: boolean, host: ListenAddress["host"]): boolean {
  return open && (host === null || !isLoopback(host));
}
