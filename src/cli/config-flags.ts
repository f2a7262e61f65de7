import { type Command, Option as Flag } from "commander";
import { formatHostPort } from "../config/address.js";
import type { Config, Settings } from "../config/config.js";
import { loadConfig } from "../config/load.js";
import type { Option } from "../config/option.js";
import { OPTIONS } from "../config/options.js";
import { asUsage } from "./failure.js";
import type { CliIo } from "./terminal/cli-io.js";

export type SettingKey = keyof Settings;

/** Settings that every command knows. */
export const COMMON_SETTINGS: readonly SettingKey[] = ["logLevel", "logFormat"];

export const ALL_SETTINGS: readonly SettingKey[] = Object.keys(OPTIONS) as SettingKey[];

/** Under which heading of the help a setting stands. */
const GROUPS: Readonly<Record<SettingKey, string>> = {
  model: "Options:",
  pin: "Models:",
  onDemand: "Models:",
  keepAlive: "Models:",
  spares: "Models:",
  http: "Options:",
  grpc: "Options:",
  name: "Options:",
  apiKey: "Who may use the HTTP API:",
  allowedHost: "Who may use the HTTP API:",
  corsOrigin: "Who may use the HTTP API:",
  rateLimit: "Who may use the HTTP API:",
  clientRequests: "Who may use the HTTP API:",
  maxConnections: "Who may use the HTTP API:",
  modelDir: "Who may use the HTTP API:",
  allowPrivateDownloads: "Who may use the HTTP API:",
  cluster: "Other nodes:",
  peer: "Other nodes:",
  peersFile: "Other nodes:",
  join: "Other nodes:",
  open: "Other nodes:",
  discovery: "Other nodes:",
  minNodes: "Placement:",
  layers: "Placement:",
  strategy: "Placement:",
  wire: "Placement:",
  downloadLimit: "Models:",
  uploadLimit: "Models:",
  memory: "Computing:",
  device: "Computing:",
  threads: "Computing:",
  threadsBatch: "Computing:",
  mmap: "Computing:",
  mlock: "Computing:",
  ctx: "Computing:",
  slots: "Computing:",
  queue: "Computing:",
  requestTimeout: "Computing:",
  stageTimeout: "Computing:",
  healTimeout: "Computing:",
  contextFull: "Computing:",
  speculation: "Computing:",
  draftModel: "Computing:",
  draftTokens: "Computing:",
  ubatch: "Computing:",
  kv: "Computing:",
  kvV: "Computing:",
  flashAttention: "Computing:",
  supervise: "Options:",
  traces: "Settings and log:",
  logLevel: "Settings and log:",
  logFormat: "Settings and log:",
};

/** What it does to switch off what is on otherwise. */
const NEGATED: Readonly<Partial<Record<SettingKey, string>>> = {
  discovery: "look for no other nodes than those that are named",
  supervise: "run the node in this process; a crash ends it",
};

/** Gives a command the flags of these settings, and `--config`. The table in `config/` is their one source. */
export function addConfigFlags(command: Command, keys: readonly SettingKey[]): Command {
  for (const key of keys) {
    const option: Option<unknown> = OPTIONS[key];
    const heading = GROUPS[key];
    if (option.positional !== true) command.addOption(flagOf(option).helpGroup(heading));
    const negated = NEGATED[key];
    if (negated !== undefined) command.addOption(new Flag(`--no-${option.flag}`, negated).helpGroup(heading));
  }
  const config = new Flag("--config <file>", "read settings from this JSON file");
  return command.addOption(config.helpGroup(GROUPS.logLevel));
}

/** The settings that hold for a command: its flags, else the environment, else the file, else the defaults. */
export function readConfig(options: Readonly<Record<string, unknown>>, io: CliIo): Promise<Config> {
  return asUsage(() => loadConfig({ flags: options, env: io.env }));
}

function flagOf(option: Option<unknown>): Flag {
  const argument = option.argument === null ? "" : ` <${option.argument}>`;
  const flag = new Flag(`--${option.flag}${argument}`, withDefault(option));
  return option.repeatable === true ? flag.argParser(collect) : flag;
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function withDefault(option: Option<unknown>): string {
  const text = option.defaultText ?? defaultText(option.default);
  return text === "" || option.description.includes("(default:")
    ? option.description
    : `${option.description} (default: ${text})`;
}

function defaultText(value: unknown): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (Array.isArray(value)) return value.map(defaultText).join(",");
  return isListenAddress(value) ? formatListen(value) : "";
}

interface Listen {
  readonly host: string | null;
  readonly port: number;
}

function isListenAddress(value: unknown): value is Listen {
  return typeof value === "object" && value !== null && "host" in value && "port" in value;
}

function formatListen({ host, port }: Listen): string {
  return host === null ? `:${port}` : formatHostPort({ host, port });
}
