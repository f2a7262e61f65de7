import { ExoError } from "../../core/errors.js";
import { findChatService } from "../chat/chat-service.js";
import { readConfig } from "../config-flags.js";
import { clientFor } from "../node-client/client-for.js";
import type { ClusterDocument, RingDocument } from "../node-client/cluster-document.js";
import type { ListedModel, NodeClient } from "../node-client/node-client.js";
import type { CliIo } from "../terminal/cli-io.js";

/** What is measured: a model that a node answers for, and the ring that computes it. */
export interface BenchTarget {
  readonly client: NodeClient;
  readonly model: ListedModel;
  readonly cluster: ClusterDocument;
  readonly ring: RingDocument;
  stop(): Promise<void>;
}

type Options = Readonly<Record<string, unknown>>;

/** The named model on the running node, or in this process, as `run` finds it; without a name the first one loaded. */
export async function findBenchTarget(name: string | undefined, options: Options, io: CliIo): Promise<BenchTarget> {
  const service =
    name === undefined ? await firstLoaded(options, io) : await findChatService(name, options, io, "loaded");
  try {
    return { ...(await ringOf(service.client, service.model)), client: service.client, stop: () => service.stop() };
  } catch (thrown) {
    await service.stop();
    throw thrown;
  }
}

async function firstLoaded(options: Options, io: CliIo) {
  const client = clientFor(await readConfig(options, io), options.url);
  if (typeof options.url !== "string" && !(await client.isThere())) throw nobody(client);
  const first = (await client.models()).find(({ loaded }) => loaded);
  if (first !== undefined) return { client, model: first.id, stop: async () => {} };
  throw new ExoError(
    "model_not_found",
    `The node at ${client.url.origin} has no model that is ready; "exo-native status" says what it is doing. Place one ` +
      "with: npx exo-native serve <model>",
  );
}

function nobody(client: NodeClient): ExoError {
  return new ExoError(
    "peer_unreachable",
    `No node answers at ${client.url.origin}. Start one with "npx exo-native serve <model>", or name a model after ` +
      "bench: this process then loads it for itself.",
  );
}

async function ringOf(client: NodeClient, id: string) {
  const [models, cluster] = [await client.models(), await client.cluster()];
  const model = models.find((candidate) => candidate.id === id);
  const ring = cluster.rings.find((candidate) => candidate.model === id && candidate.state === "ready");
  if (model !== undefined && ring !== undefined) return { model, cluster, ring };
  throw new ExoError("not_ready", `The ring of ${id} is no longer ready at ${client.url.origin}; try again later.`);
}
