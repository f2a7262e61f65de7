import { ExoError } from "../../core/errors.js";
import { pause } from "../../core/waiting.js";
import { readConfig } from "../config-flags.js";
import { EXIT } from "../failure.js";
import { clientFor } from "../node-client/client-for.js";
import type { DrainDocument } from "../node-client/drain-document.js";
import type { NodeClient } from "../node-client/node-client.js";
import { StopRequest } from "../stop-request.js";
import type { CliIo } from "../terminal/cli-io.js";

/** Milliseconds between two looks. */
const LOOK_MS = 500;

/** Moves a node's layers elsewhere, and waits until it holds none; or lets it take layers again. */
export async function drain(node: string, options: Readonly<Record<string, unknown>>, io: CliIo): Promise<void> {
  const client = clientFor(await readConfig(options, io), options.url);
  const draining = options.undo !== true;
  const told = await client.drain(node, draining);
  if (options.json !== true) io.stdout.write(`${sentence(told)}\n`);
  if (draining && options.wait !== false) await wait(client, told, options.json !== true, io);
  if (options.json === true) io.stdout.write(`${JSON.stringify(told, null, 2)}\n`);
}

function sentence({ node, draining, rings }: DrainDocument): string {
  if (!draining) return `${node.name} may take layers again.`;
  if (rings.length === 0) return `${node.name} takes no new layers; it holds none.`;
  const models = rings.map(({ model }) => model).join(", ");
  return `${node.name} takes no new layers. When what was begun is answered, ${models} goes on without it.`;
}

/** Until the node holds no layers; Ctrl-C ends the waiting, and the node is drained all the same. */
async function wait(client: NodeClient, { node }: DrainDocument, aloud: boolean, io: CliIo): Promise<void> {
  const stop = new StopRequest(process, io.now, () => process.exit(EXIT.failed));
  try {
    for (;;) {
      const { nodes } = await client.cluster();
      const now = nodes.find(({ id }) => id === node.id);
      if (now === undefined || now.state === "gone" || (now.stages ?? []).length === 0) break;
      if (now.draining === false) throw new ExoError("cancelled", `${node.name} is not drained any more.`);
      await pause(LOOK_MS, stop.signal);
      if (stop.signal.aborted) return;
    }
  } finally {
    stop.release();
  }
  if (aloud) io.stdout.write(`${node.name} holds no layers now: it may leave.\n`);
}
