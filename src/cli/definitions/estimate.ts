import type { Command } from "commander";
import { addConfigFlags, COMMON_SETTINGS, type SettingKey } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { urlFlag } from "./flags.js";
import { addNotes } from "./help-notes.js";

const ESTIMATE_SETTINGS: readonly SettingKey[] = ["ctx", "slots", "kv", "kvV", "apiKey", ...COMMON_SETTINGS];

export function addEstimate(program: Command, io: CliIo): void {
  const command = program.command("estimate").description("say what a model takes, and whether it fits");
  command
    .argument("<model>", "anything that serve takes, or a config.json that gives a model's shape")
    .addOption(urlFlag())
    .option("--json", "print what POST /cluster/estimate answers")
    .option("--memory <sizes>", "ask about machines that offer this much each, e.g. 8GiB,16GiB")
    .option("--quant <name>", "with a config.json: how it would be stored (default: Q4_K_M)")
    .option("--exact", "also ask llama.cpp's loader on this machine, which allocates nothing")
    .option("--link <link>", "between machines: delay one way and speed, e.g. 0.5ms,100MB");
  addConfigFlags(command, ESTIMATE_SETTINGS);
  addNotes(
    command,
    [
      "exo-native estimate tinyllama",
      "exo-native estimate ./model.gguf --memory 16GiB,16GiB --ctx 32768",
      "exo-native estimate llama-70b/config.json --quant Q4_K_M --memory 24GiB,24GiB",
    ],
    "A running node answers for its cluster. Without one the estimate is for this\nmachine alone.",
  );
  command.action(async (model: string, options: Record<string, unknown>) => {
    const { estimate } = await import("../commands/estimate.js");
    await estimate(model, options, io);
  });
}
