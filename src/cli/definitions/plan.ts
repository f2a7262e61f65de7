import type { Command } from "commander";
import { addConfigFlags, COMMON_SETTINGS, type SettingKey } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { urlFlag } from "./flags.js";
import { addNotes } from "./help-notes.js";

const PLAN_SETTINGS: readonly SettingKey[] = [
  "strategy",
  "ctx",
  "slots",
  "minNodes",
  "layers",
  "draftModel",
  "apiKey",
  ...COMMON_SETTINGS,
];

export function addPlan(program: Command, io: CliIo): void {
  const command = program.command("plan").description("say where a model would be placed, and load nothing");
  command
    .argument("<model>", "anything that serve takes")
    .addOption(urlFlag())
    .option("--json", "print what POST /cluster/plan answers")
    .option("--head <node>", "the node that is to be the head (default: the best)");
  addConfigFlags(command, PLAN_SETTINGS);
  addNotes(
    command,
    [
      "exo-native plan tinyllama",
      "exo-native plan ./model.gguf --strategy throughput --slots 8",
      "exo-native plan tinyllama --layers 0-11@desk,11-22@attic --json",
    ],
    "A running node plans for its cluster. Without one the plan is for this machine\nalone.",
  );
  command.action(async (model: string, options: Record<string, unknown>) => {
    const { plan } = await import("../commands/plan.js");
    await plan(model, options, io);
  });
}
