import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { createProgram } from "../../src/cli/program.js";
import { loadConfig } from "../../src/config/load.js";
import { packageRoot } from "../../src/core/package.js";
import { capturedIo } from "../unit/cli-captured-io.js";

const DEPLOYMENT = join(packageRoot(), "docs", "deployment");

export function deploymentPath(name: string): string {
  return join(DEPLOYMENT, name);
}

export function deploymentFile(name: string): string {
  return readFileSync(deploymentPath(name), "utf8");
}

/** The documents of a YAML file; throws what is wrong with it. */
export function yamlDocuments(name: string): readonly unknown[] {
  return parseAllDocuments(deploymentFile(name), { merge: true }).map((document) => {
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) throw fault;
    return document.toJS() as unknown;
  });
}

/** The settings that a node started with these arguments and variables would have. Throws when it would not start. */
export async function settingsOf(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const [command, ...rest] = args;
  const serve = createProgram(capturedIo()).commands.find((one) => one.name() === "serve");
  if (command !== "serve" || serve === undefined) throw new Error(`Expected "serve", received ${args.join(" ")}`);
  const flags = await parsedBy(serve, rest);
  return loadConfig({ flags, env: { EXO_NATIVE_HOME: "/data", ...env }, withoutFile: true });
}

/** What the real command makes of its arguments, with nothing started. */
async function parsedBy(serve: Command, args: readonly string[]): Promise<Record<string, unknown>> {
  let flags: Record<string, unknown> = {};
  serve.exitOverride().action((model: string | undefined, options: Record<string, unknown>) => {
    flags = { ...options, model };
  });
  await serve.parseAsync([...args], { from: "user" });
  return flags;
}

/** Lines `NAME=value` of an environment file, those commented out included: they are examples that shall work too. */
export function environmentFile(text: string): Record<string, string> {
  const lines = text.matchAll(/^#?(EXO_NATIVE_[A-Z_]+)=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name = "", value = ""]) => [name, value]));
}

const manifest = z.object({
  name: z.string(),
  version: z.string(),
  bin: z.record(z.string(), z.string()),
  scripts: z.record(z.string(), z.string()),
});

/** This package's package.json. */
export function packageManifest(): z.infer<typeof manifest> {
  return manifest.parse(JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")));
}
