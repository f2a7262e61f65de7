import { pause } from "../../core/waiting.js";
import { readConfig } from "../config-flags.js";
import { EXIT, UsageError } from "../failure.js";
import { clientFor } from "../node-client/client-for.js";
import type { NodeClient } from "../node-client/node-client.js";
import { StopRequest } from "../stop-request.js";
import { type CliIo, widthOf } from "../terminal/cli-io.js";
import { drawCluster } from "../terminal/cluster-picture.js";
import { type Key, listenToKeys } from "../terminal/keys.js";
import { paintFor } from "../terminal/paint.js";
import { StatusWatch } from "../terminal/status-watch.js";

/** Milliseconds between two looks of `--watch`. */
const WATCH_INTERVAL = 1000;

/** Prints the nodes and rings that a running node knows. */
export async function status(options: Readonly<Record<string, unknown>>, io: CliIo): Promise<void> {
  if (options.watch === true && options.json === true) {
    throw new UsageError("--json prints one document, so it cannot be used with --watch.");
  }
  const client = clientFor(await readConfig(options, io), options.url);
  if (options.watch === true) return watch(client, io);
  if (options.json === true) {
    io.stdout.write(`${JSON.stringify(await client.clusterAsSent(), null, 2)}\n`);
  } else {
    io.stdout.write(`${drawCluster(await client.cluster(), widthOf(io.stdout), paintFor(io.stdout, io.env))}\n`);
  }
}

async function watch(client: NodeClient, io: CliIo): Promise<void> {
  const stop = new StopRequest(process, io.now, () => {
    view.leave();
    process.exit(EXIT.failed);
  });
  const view: StatusWatch = new StatusWatch({
    output: io.stdout,
    paint: paintFor(io.stdout, io.env),
    where: client.url.origin,
    look: () => client.cluster(),
    wait: (signal) => pause(WATCH_INTERVAL, signal),
    now: io.now,
    signal: stop.signal,
  });
  const undo = leaveWhileSuspended(view);
  const release = listenToKeys(io.stdin, (key) => pressed(key, view, stop));
  try {
    await view.run();
  } finally {
    release();
    undo();
    stop.release();
  }
}

/** In this mode the terminal makes no signals of Ctrl-C and Ctrl-Z. */
function pressed(key: Key, view: StatusWatch, stop: StopRequest): void {
  if (key === "q" || key === "ctrl-c" || key === "escape") stop.request();
  else if (key === "ctrl-z") process.kill(process.pid, "SIGTSTP");
  else view.scroll(key);
}

/** Ctrl-Z: the shell gets its terminal back in order. With `fg` the next look draws again. */
function leaveWhileSuspended(view: StatusWatch): () => void {
  if (process.platform === "win32") return () => {};
  const suspend = (): void => {
    view.leave();
    process.kill(process.pid, "SIGSTOP");
  };
  process.on("SIGTSTP", suspend);
  return () => process.off("SIGTSTP", suspend);
}
