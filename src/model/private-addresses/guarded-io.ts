import { AsyncLocalStorage } from "node:async_hooks";
import { Agent, fetch as guardedFetch } from "undici";
import { ExoError } from "../../core/errors.js";
import { type DownloadIo, systemDownloadIo } from "../download-io.js";
import { type GuardOptions, guardedConnector } from "./guarded-connector.js";

const vouched = new AsyncLocalStorage<true>();

/** What is fetched for this work may come from anywhere: somebody who is trusted has seen to where it leads. */
export function vouchedFor<Result>(work: () => Result): Result {
  return vouched.run(true, work);
}

/**
 * As the system's, but for what is fetched: from the Internet, and from where the owner of this machine said. Behind a proxy
 * (`NODE_USE_ENV_PROXY`) the proxy connects, and it is for the proxy to know where to.
 */
export function guardedDownloadIo(options: GuardOptions, env: NodeJS.ProcessEnv = process.env): DownloadIo {
  if (env.NODE_USE_ENV_PROXY === "1") return systemDownloadIo;
  const dispatcher = new Agent({ connect: guardedConnector(options) });
  return {
    ...systemDownloadIo,
    fetch: async (url, { byOwner = false, ...init }) => {
      if (byOwner || vouched.getStore() === true) return systemDownloadIo.fetch(url, init);
      try {
        return await guardedFetch(url, { ...init, dispatcher });
      } catch (thrown) {
        // What the connector refuses is no trouble with the network, and no other try mends it.
        throw thrown instanceof Error && thrown.cause instanceof ExoError ? thrown.cause : thrown;
      }
    },
  };
}
