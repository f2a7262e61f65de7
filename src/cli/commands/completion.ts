import type { Command } from "commander";
import { packageVersion } from "../../core/package.js";
import { CATALOGUE } from "../../model/catalogue.js";
import { bashScript } from "../completion/bash-script.js";
import { completionTree } from "../completion/completion-tree.js";
import { fishScript } from "../completion/fish-script.js";
import type { Shell } from "../completion/shells.js";
import { zshScript } from "../completion/zsh-script.js";
import { readConfig } from "../config-flags.js";
import { openModelStore } from "../model-store.js";
import { clientFor } from "../node-client/client-for.js";
import type { CliIo } from "../terminal/cli-io.js";

const SCRIPTS: Readonly<Record<Shell, typeof bashScript>> = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Prints what a shell needs to complete this program. */
export function completion(shell: Shell, program: Command, io: CliIo): void {
  io.stdout.write(SCRIPTS[shell](completionTree(program), packageVersion()));
}

/** A person waits for this at a prompt. Milliseconds. */
const PATIENCE = 1000;

/** Prints each name that a model can be given by: what a running node has, what is kept here, what is known. */
export async function modelNames(options: Readonly<Record<string, unknown>>, io: CliIo): Promise<void> {
  const config = await readConfig({ ...options, logLevel: "silent" }, io);
  const client = clientFor(config, options.url);
  const none = (): readonly { readonly id: string }[] => [];
  const [served, kept] = await Promise.all([
    client.models(AbortSignal.timeout(PATIENCE)).catch(none),
    openModelStore(config, io).list().catch(none),
  ]);
  const names = new Set([...served, ...kept].map(({ id }) => id));
  for (const { alias } of CATALOGUE) names.add(alias);
  io.stdout.write([...names].map((name) => `${name}\n`).join(""));
}
