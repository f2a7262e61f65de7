import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { ExoError } from "../core/errors.js";
import type { Config, Settings } from "./config.js";
import { refuseContradictions } from "./contradictions.js";
import { type Option, readOption, toggle } from "./option.js";
import { OPTIONS } from "./options.js";
import { resolvePaths } from "./paths.js";

export interface ConfigSources {
  /**
   * As the command line gives them: keys of `Settings` plus `config`, values unparsed; `undefined` is "not given".
   * `discovery: false` is `--no-discovery`, `supervise: false` is `--no-supervise`.
   */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory?: string;
  /** No configuration file is read: for whoever has to go on when there is one that cannot be. */
  readonly withoutFile?: boolean;
}

interface Found {
  readonly input: unknown;
  /** The name under which the user gave it. */
  readonly spelledAs: string;
}

/** What is on unless it is said not to be: how that is written, and what the option is then. */
const SWITCHED_OFF: Readonly<Record<string, { readonly flag: string; readonly input: unknown }>> = {
  discovery: { flag: "no-discovery", input: [] },
  supervise: { flag: "no-supervise", input: false },
};

const NEGATED: readonly string[] = Object.values(SWITCHED_OFF).map(({ flag }) => flag);

type Lookup = (key: string, option: Option<unknown>) => Found | null;

/** Flag, else `EXO_NATIVE_*` variable, else configuration file, else default. The result is frozen. */
export async function loadConfig(sources: ConfigSources = {}): Promise<Config> {
  const env = sources.env ?? process.env;
  const flags = sources.flags ?? {};
  const paths = resolvePaths(env, sources.homeDirectory ?? homedir());
  const named = text(flags.config) ?? text(env.EXO_NATIVE_CONFIG);
  const file =
    sources.withoutFile === true
      ? NO_FILE
      : await readConfigFile(named ?? join(paths.configDir, "config.json"), named !== null);
  const lookups = [fromFlags(flags), fromEnvironment(env), fromFile(file)];
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(OPTIONS) as [string, Option<unknown>][]) {
    const found = first(lookups, key, option);
    values[key] = found === null ? option.default : readOption(option, found.input, found.spelledAs);
  }
  // Each key holds what its own option made, which the type of OPTIONS ties to Settings.
  const settings = values as unknown as Settings;
  refuseContradictions(settings);
  return deepFreeze({ ...settings, paths, file: file.path });
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function first(lookups: readonly Lookup[], key: string, option: Option<unknown>): Found | null {
  for (const lookup of lookups) {
    const found = lookup(key, option);
    if (found !== null) return found;
  }
  return null;
}

function fromFlags(flags: Readonly<Record<string, unknown>>): Lookup {
  return (key, option) => {
    const input = flags[key];
    if (input === undefined || input === null) return null;
    const off = SWITCHED_OFF[key];
    if (off !== undefined && input === false) return { input: off.input, spelledAs: `--${off.flag}` };
    return { input, spelledAs: option.positional ? `<${option.argument}>` : `--${option.flag}` };
  };
}

export function environmentName(flag: string): string {
  return `EXO_NATIVE_${flag.toUpperCase().replaceAll("-", "_")}`;
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Lookup {
  return (key, option) => {
    const off = SWITCHED_OFF[key];
    if (off !== undefined) {
      const spelledAs = environmentName(off.flag);
      if (isOn(env[spelledAs], spelledAs)) return { input: off.input, spelledAs };
    }
    const name = environmentName(option.flag);
    const input = env[name];
    return input === undefined || input === "" ? null : { input, spelledAs: name };
  };
}

function isOn(input: unknown, spelledAs: string): boolean {
  if (input === undefined) return false;
  return readOption({ ...OPTIONS.open, schema: toggle }, input, spelledAs);
}

interface ConfigFile {
  readonly path: string | null;
  readonly values: Readonly<Record<string, unknown>>;
}

const NO_FILE: ConfigFile = { path: null, values: {} };

function fromFile(file: ConfigFile): Lookup {
  const spelledAs = (flag: string) => `"${flag}" in ${file.path}`;
  return (key, option) => {
    const off = SWITCHED_OFF[key];
    if (off !== undefined && isOn(file.values[off.flag], spelledAs(off.flag))) {
      return { input: off.input, spelledAs: spelledAs(off.flag) };
    }
    const input = file.values[option.flag];
    return input === undefined || input === null ? null : { input, spelledAs: spelledAs(option.flag) };
  };
}

async function readConfigFile(path: string, mustExist: boolean): Promise<ConfigFile> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (thrown) {
    const missing = thrown instanceof Error && Reflect.get(thrown, "code") === "ENOENT";
    if (missing && !mustExist) return NO_FILE;
    const why = missing ? "there is no such file" : String(thrown instanceof Error ? thrown.message : thrown);
    throw new ExoError("invalid_argument", `Cannot read the configuration file ${path}: ${why}.`, {
      cause: thrown,
      param: "--config",
    });
  }
  return { path, values: parseConfigFile(content, path) };
}

function parseConfigFile(content: string, path: string): Readonly<Record<string, unknown>> {
  let document: unknown;
  try {
    document = JSON.parse(content);
  } catch (thrown) {
    throw new ExoError("invalid_argument", `The configuration file ${path} is not JSON: ${String(thrown)}.`, {
      cause: thrown,
    });
  }
  const result = z.record(z.string(), z.unknown()).safeParse(document);
  if (!result.success) {
    throw new ExoError("invalid_argument", `Expected a JSON object in the configuration file ${path}.`);
  }
  refuseUnknownKeys(result.data, path);
  return result.data;
}

function refuseUnknownKeys(values: Readonly<Record<string, unknown>>, path: string): void {
  const known = [...Object.values(OPTIONS).map((option) => option.flag), ...NEGATED, "$schema"];
  const unknown = Object.keys(values).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new ExoError(
    "invalid_argument",
    `Expected one of ${known.slice(0, -1).join(", ")} as a key in ${path}, received "${unknown}".`,
    { param: unknown },
  );
}

function deepFreeze<Value extends object>(value: Value): Value {
  for (const child of Object.values(value)) {
    if (typeof child === "object" && child !== null && !Object.isFrozen(child)) deepFreeze(child);
  }
  return Object.freeze(value);
}
