import { isLoopback } from "../core/loopback.js";
import type { Config } from "./config.js";
import { ANY_ORIGIN } from "./origin.js";

/**
 * What somebody who starts a node should know of who can use it then, a sentence or two for each; empty: nobody but the
 * users of this machine and holders of keys.
 *
 * @param hasKeys there is a file of API keys
 */
export function exposures(
  { http, apiKey, open, corsOrigin }: Pick<Config, "http" | "apiKey" | "open" | "corsOrigin">,
  hasKeys: boolean,
): readonly string[] {
  const warnings: string[] = [];
  const withKeys = hasKeys || apiKey.length > 0;
  if (http.host !== null && !isLoopback(http.host) && !withKeys) {
    warnings.push(
      `The HTTP API listens on ${http.host} and asks for no key: everybody who can reach this machine can use its models, load and remove them, and see what the cluster does. Make keys with "exo-native keys create", or listen on 127.0.0.1.`,
    );
  }
  if (open) {
    warnings.push(
      "With --open any exo-native node that can reach this one may join: it then computes with you, and sees what is asked through it. Connections are encrypted, but nobody proves who they are. Use it on networks that you trust.",
    );
  }
  if (corsOrigin.includes(ANY_ORIGIN)) {
    warnings.push(
      `With --cors-origin "*" every web page that somebody with access to this node opens may use its HTTP API${withKeys ? ", if it knows a key" : ", and there is no key"}. Name the origins that you mean.`,
    );
  }
  return warnings;
}
