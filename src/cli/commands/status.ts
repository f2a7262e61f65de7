import { setTimeout as delay } from "node:timers/promises";
import { readConfig } from "../config-flags.js";
import { UsageError } from "../failure.js";
import { clientFor } from "../node-client/client-for.js";
import type { NodeClient } from "../node-client/node-client.js";
import { type CliIo, widthOf } from "../terminal/cli-io.js";
import { drawCluster } from "../terminal/cluster-picture.js";
import { paintFor } from "../terminal/paint.js";

/** Milliseconds between two looks of `--watch`. */
const WATCH_INTERVAL = 1000;

const CURSOR_HOME_AND_CLEAR = "\u001b[H\u001b[J";

/** Prints the nodes and rings that a running node knows. */
export async function status(options: Readonly<Record<string, unknown>>, io: CliIo): Promise<void> {
  const client = clientFor(await readConfig(options, io), options.url);
  if (options.watch !== true) io.stdout.write(await picture(client, options, io));
  else await watch(client, options, io);
}

async function watch(client: NodeClient, options: Readonly<Record<string, unknown>>, io: CliIo): Promise<never> {
  if (options.json === true) throw new UsageError("--json prints one document, so it cannot be used with --watch.");
  for (;;) {
    const text = await picture(client, options, io);
    io.stdout.write(io.stdout.isTTY === true ? CURSOR_HOME_AND_CLEAR + text : `${text}\n`);
    await delay(WATCH_INTERVAL);
  }
}

async function picture(client: NodeClient, options: Readonly<Record<string, unknown>>, io: CliIo): Promise<string> {
  const cluster = await client.cluster();
  if (options.json === true) return `${JSON.stringify(cluster, null, 2)}\n`;
  return `${drawCluster(cluster, widthOf(io.stdout), paintFor(io.stdout, io.env))}\n`;
}
