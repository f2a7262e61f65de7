import type { Command } from "commander";
import { addConfigFlags, COMMON_SETTINGS } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { urlFlag } from "./flags.js";
import { addNotes } from "./help-notes.js";

export function addStatus(program: Command, io: CliIo): void {
  const command = program.command("status").description("show the nodes and rings that a running node knows");
  command
    .addOption(urlFlag())
    .option("--json", "print what GET /cluster answers")
    .option("--watch", "look again every second, until q or Ctrl-C");
  addConfigFlags(command, ["apiKey", ...COMMON_SETTINGS]);
  addNotes(command, ["exo-native status", "exo-native status --watch", "exo-native status --json"]);
  command.action(async (options: Record<string, unknown>) => {
    const { status } = await import("../commands/status.js");
    await status(options, io);
  });
}
