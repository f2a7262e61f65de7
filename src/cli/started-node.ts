import type { Config } from "../config/config.js";
import { exposures } from "../config/exposure.js";
import { keyFilePath, readKeyFile } from "../config/keys/key-file.js";
import type { Logger } from "../core/ports.js";
import { type ExoNode, startNode } from "../node.js";
import { createLogger } from "../telemetry/logger.js";
import { nodeDoctor } from "./doctor/node-doctor.js";
import { endHung } from "./end-hung.js";
import type { CliIo } from "./terminal/cli-io.js";
import { paintFor } from "./terminal/paint.js";
import { PlacementDisplay } from "./terminal/placement-display.js";
import type { StatusScreen } from "./terminal/status-screen.js";

/** A node in this process whose log lines and progress share one screen. */
export interface StartedNode {
  readonly node: ExoNode;
  readonly logger: Logger;
}

/** @param nodeId the id to have; `null`: as the configuration says */
export async function startNodeOn(
  screen: StatusScreen,
  config: Config,
  io: CliIo,
  nodeId: string | null = null,
): Promise<StartedNode> {
  const { supervised } = io;
  const logger = createLogger({
    level: config.logLevel,
    format: config.logFormat,
    env: io.env,
    isTerminal: screen.interactive,
    ...(screen.interactive ? { destination: screen } : {}),
    ...(supervised === undefined ? {} : { copy: (line: string) => void supervised.tell({ type: "log", line }) }),
  });
  const keys = await readKeyFile(keyFilePath(config.paths.configDir));
  for (const warning of exposures(config, keys !== null)) logger.warn({}, warning);
  const node = await startNode({ config, logger, doctor: nodeDoctor(config, io.env), nodeId, onHang: endHung });
  const tell = (line: string): void => logger.info({}, line);
  const display = new PlacementDisplay({ screen, paint: paintFor(io.stderr, io.env), tell, now: io.now });
  node.onPlacementProgress((progress) => display.update(progress));
  return { node, logger };
}
