import { clusterOf, DEFAULT_CLUSTER } from "../../config/cluster-name.js";
import type { Config } from "../../config/config.js";
import { packageVersion } from "../../core/package.js";
import { discoveryKinds } from "../../discovery/create-discovery.js";
import type { ExoNode } from "../../node.js";
import { readConfig } from "../config-flags.js";
import { EXIT } from "../failure.js";
import { stopWithNpm } from "../npm-parent.js";
import { startNodeOn } from "../started-node.js";
import { StopRequest } from "../stop-request.js";
import { bannerText } from "../terminal/banner.js";
import type { CliIo } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";
import { StatusScreen } from "../terminal/status-screen.js";

/** Runs a node until it is asked to stop. Returns when it has stopped cleanly. */
export async function serve(
  model: string | undefined,
  options: Readonly<Record<string, unknown>>,
  io: CliIo,
): Promise<void> {
  const config = await readConfig({ ...options, model }, io);
  const screen = new StatusScreen(io.stderr, io.now);
  const stop = new StopRequest(process, io.now, () => process.exit(EXIT.failed));
  stopWithNpm(stop, io.env, () => process.ppid);
  const { node, logger } = await startNodeOn(screen, config, io);
  try {
    greet(node, config, screen, io);
    if (config.model !== null) await announceReady(node, stop.signal, screen, io);
    await stop.wait();
    screen.clear();
    logger.info({}, "stopping; Ctrl-C again ends at once");
  } finally {
    await node.stop();
    stop.release();
  }
}

function greet(node: ExoNode, config: Config, screen: StatusScreen, io: CliIo): void {
  if (!screen.interactive) return;
  const { name, httpUrl, grpcAddress } = node;
  const cluster = node.cluster?.name ?? clusterOf(config);
  const facts = {
    version: packageVersion(),
    name,
    httpUrl,
    grpcAddress,
    cluster: cluster === DEFAULT_CLUSTER ? null : cluster,
    ...(node.cluster === null ? {} : { role: node.cluster.role }),
    announced: discoveryKinds(config).includes("mdns"),
  };
  screen.print();
  screen.print(bannerText(facts, paintFor(io.stderr, io.env)));
}

/** Waits for the model. A stop asked for meanwhile is no failure; a model that cannot be placed is one. */
async function announceReady(node: ExoNode, signal: AbortSignal, screen: StatusScreen, io: CliIo): Promise<void> {
  try {
    const model = await node.whenReady(signal);
    if (screen.interactive) screen.print(`${paintFor(io.stderr, io.env)("green", "ready")}  ${model}  ${node.httpUrl}`);
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  } finally {
    screen.clear();
  }
}
