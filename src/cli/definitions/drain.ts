import type { Command } from "commander";
import { addConfigFlags, COMMON_SETTINGS } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { urlFlag } from "./flags.js";
import { addNotes } from "./help-notes.js";

export function addDrain(program: Command, io: CliIo): void {
  const command = program.command("drain").description("move the layers of a node elsewhere, before it leaves");
  command
    .argument("<node>", "its name or id")
    .addOption(urlFlag())
    .option("--undo", "the node may take layers again")
    .option("--no-wait", "do not wait until the node holds no layers")
    .option("--json", "print what POST /cluster/drain answers");
  addConfigFlags(command, ["apiKey", ...COMMON_SETTINGS]);
  addNotes(command, ["exo-native drain laptop", "exo-native drain laptop --undo"]);
  command.action(async (node: string, options: Record<string, unknown>) => {
    const { drain } = await import("../commands/drain.js");
    await drain(node, options, io);
  });
}
