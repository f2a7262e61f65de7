import { clusterOf, DEFAULT_CLUSTER } from "../../config/cluster-name.js";
import type { Config } from "../../config/config.js";
import { packageVersion } from "../../core/package.js";
import type { Logger } from "../../core/ports.js";
import { discoveryKinds } from "../../discovery/create-discovery.js";
import type { ExoNode } from "../../node.js";
import { EXIT } from "../failure.js";
import { stopWithNpm } from "../npm-parent.js";
import { startNodeOn } from "../started-node.js";
import { StopRequest } from "../stop-request.js";
import { supervisedStart } from "../supervise/supervised-start.js";
import { bannerText } from "../terminal/banner.js";
import type { CliIo } from "../terminal/cli-io.js";
import { paintFor } from "../terminal/paint.js";
import { StatusScreen } from "../terminal/status-screen.js";

/** Runs a node in this process until it is asked to stop. Returns when it has stopped cleanly. */
export async function serveNode(asked: Config, io: CliIo): Promise<void> {
  const screen = new StatusScreen(io.stderr, io.now);
  const stop = new StopRequest(process, io.now, () => process.exit(EXIT.failed));
  stopWithNpm(stop, io.env, () => process.ppid);
  const { config, nodeId, onStarted } = supervisedStart(asked, io.supervised);
  const { node, logger } = await startNodeOn(screen, config, io, nodeId);
  try {
    onStarted(node);
    greet(node, config, screen, io);
    if (config.model !== null) await announceReady(node, stop.signal, { screen, logger, io });
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

interface Announcing {
  readonly screen: StatusScreen;
  readonly logger: Logger;
  readonly io: CliIo;
}

/** Waits for the model. A stop asked for meanwhile is no failure; a model that cannot be placed is one. */
async function announceReady(node: ExoNode, signal: AbortSignal, { screen, logger, io }: Announcing): Promise<void> {
  try {
    const model = await node.whenReady(signal);
    if (screen.interactive) screen.print(`${paintFor(io.stderr, io.env)("green", "ready")}  ${model}  ${node.httpUrl}`);
  } catch (thrown) {
    if (signal.aborted) return;
    // After a crash a node without its model is of more use than none: others may need it for theirs.
    if (!isRestart(io)) throw thrown;
    logger.error({ error: thrown }, "the node is up without its model, which cannot be placed");
  } finally {
    screen.clear();
  }
}

function isRestart({ supervised }: CliIo): boolean {
  return supervised !== undefined && supervised.facts.restarts > 0;
}
