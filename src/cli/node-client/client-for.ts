import { formatHostPort } from "../../config/address.js";
import type { Config } from "../../config/config.js";
import { UsageError } from "../failure.js";
import { NodeClient } from "./node-client.js";

/** A client of the node that `--url` names, else of the one that a node of this configuration would be. */
export function clientFor(config: Config, url: unknown): NodeClient {
  return new NodeClient(typeof url === "string" ? parseUrl(url) : ownUrl(config), config.apiKey[0] ?? null);
}

function parseUrl(text: string): URL {
  const url = URL.parse(/^https?:\/\//i.test(text) ? text : `http://${text}`);
  if (url !== null) return url;
  throw new UsageError(
    `Expected the address of a node, such as "http://127.0.0.1:52415", for --url, received "${text}".`,
  );
}

function ownUrl({ http }: Config): URL {
  const everywhere = http.host === null || http.host === "0.0.0.0" || http.host === "::";
  return new URL(`http://${formatHostPort({ host: everywhere ? "127.0.0.1" : http.host, port: http.port })}`);
}
