/** What programs may rely on besides the HTTP API: a node of their own, and the types of what it does. */
export type { PlacementProgress } from "./cluster/placement-progress.js";
export type { Config } from "./config/config.js";
export { type ConfigSources, loadConfig } from "./config/load.js";
export { ERROR_CODES, type ErrorCode, ExoError } from "./core/errors.js";
export type {
  ChatMessage,
  ChatPrompt,
  Embedding,
  EmbedRequest,
  InferenceEvent,
  InferenceRequest,
  InferenceService,
  SamplingOptions,
  TextPrompt,
} from "./core/inference.js";
export type { Logger } from "./core/ports.js";
export { type ExoNode, type NodeOptions, startNode } from "./node.js";
export { createLogger } from "./telemetry/logger.js";
