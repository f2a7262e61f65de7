import { resolve } from "node:path";
import type { Config } from "../../config/config.js";
import { ExoError } from "../../core/errors.js";
import { readConfig } from "../config-flags.js";
import { clientFor } from "../node-client/client-for.js";
import type { ListedModel, NodeClient } from "../node-client/node-client.js";
import type { CliIo } from "../terminal/cli-io.js";

/** Who answers a chat: a running node, or one that lives as long as the chat. */
export interface ChatService {
  readonly client: NodeClient;
  /** The model's name in the API. */
  readonly model: string;
  stop(): Promise<void>;
}

/**
 * The running node when it has the model, or would load it. Without one, and unless `--url` named one, a node in this process.
 *
 * @param wanted whether it is enough that the node would load the model
 */
export async function findChatService(
  model: string,
  options: Readonly<Record<string, unknown>>,
  io: CliIo,
  wanted: "loaded" | "known" = "known",
): Promise<ChatService> {
  const named = typeof options.url === "string";
  const client = clientFor(await readConfig(options, io), options.url);
  const listed = named || (await client.isThere()) ? await client.models() : null;
  const there = (listed ?? []).filter(({ loaded }) => loaded || wanted === "known");
  const found = findModel(there, model);
  if (found !== null) {
    if (!found.loaded && io.stderr.isTTY === true)
      io.stderr.write(`${client.url.origin} loads ${found.id} for this.\n`);
    return { client, model: found.id, stop: async () => {} };
  }
  if (named) throw notLoaded(client, model, there);
  if (listed !== null && io.stderr.isTTY === true) {
    io.stderr.write(`The node at ${client.url.origin} has not loaded ${model}: this process loads it for itself.\n`);
  }
  const config = await embeddedConfig(model, options, io);
  const { startEmbedded } = await import("./embedded-node.js");
  return startEmbedded(config, io);
}

/** By id, by other name, or by the path of the same file. */
function findModel(listed: readonly ListedModel[], model: string): ListedModel | null {
  const wanted = new Set([model, resolve(model)]);
  return listed.find(({ id, aliases }) => [id, ...aliases].some((name) => wanted.has(name))) ?? null;
}

function notLoaded(client: NodeClient, model: string, listed: readonly ListedModel[]): ExoError {
  const names = listed.map(({ id }) => id).join(", ");
  const known = names === "" ? "It has no model loaded" : `It has ${names}`;
  return new ExoError("model_not_found", `The node at ${client.url.origin} has no model "${model}". ${known}.`);
}

/** Free ports on loopback, no peers, and quiet unless asked: the terminal belongs to the chat. */
async function embeddedConfig(model: string, options: Readonly<Record<string, unknown>>, io: CliIo): Promise<Config> {
  const quiet = options.logLevel === undefined && !io.env.EXO_NATIVE_LOG_LEVEL ? { logLevel: "silent" } : {};
  const config = await readConfig({ ...options, ...quiet, model }, io);
  const loopback = { host: "127.0.0.1", port: 0 };
  return {
    ...config,
    http: loopback,
    grpc: loopback,
    open: false,
    peer: [],
    peersFile: null,
    join: null,
    discovery: [],
    minNodes: 1,
    layers: null,
    apiKey: [],
    pin: [],
  };
}
