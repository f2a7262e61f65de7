import { readConfig } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";

/** Runs a node until it is asked to stop, in a process of its own unless this is that process. */
export async function serve(
  model: string | undefined,
  options: Readonly<Record<string, unknown>>,
  io: CliIo,
): Promise<void> {
  const config = await readConfig({ ...options, model }, io);
  // Each alone: what a node needs would make its supervisor large.
  if (io.supervised === undefined && config.supervise) {
    const { supervise } = await import("../supervise/supervise.js");
    return supervise(process.argv.slice(2), config, io);
  }
  const { serveNode } = await import("./serve-node.js");
  return serveNode(config, io);
}
