import type { Config } from "../config/config.js";
import { ModelStore } from "../model/model-store.js";
import { createLogger } from "../telemetry/logger.js";
import type { CliIo } from "./terminal/cli-io.js";

/** The models of this machine, where the configuration keeps them. */
export function openModelStore(config: Config, io: CliIo): ModelStore {
  const logger = createLogger({ level: config.logLevel, format: config.logFormat, env: io.env });
  return new ModelStore({ modelsDir: config.paths.modelsDir, logger, downloadLimit: config.downloadLimit });
}
