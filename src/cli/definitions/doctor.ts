import type { Command } from "commander";
import { addConfigFlags, COMMON_SETTINGS, type SettingKey } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { urlFlag } from "./flags.js";
import { addNotes } from "./help-notes.js";

/** What a node would be started with and the doctor looks at. */
const DOCTOR_SETTINGS: readonly SettingKey[] = [
  "http",
  "grpc",
  "open",
  "cluster",
  "peer",
  "peersFile",
  "join",
  "discovery",
  "memory",
  "device",
  "mlock",
  "apiKey",
  ...COMMON_SETTINGS,
];

export function addDoctor(program: Command, io: CliIo): void {
  const command = program.command("doctor").description("look at this machine and its network, and say what to mend");
  command.addOption(urlFlag()).option("--json", "print one JSON document");
  addConfigFlags(command, DOCTOR_SETTINGS);
  addNotes(
    command,
    ["exo-native doctor", "exo-native doctor --open --peer 192.168.1.20", "exo-native doctor --json"],
    "Give it the options that a node would be started with. The exit code is 1 when\nsomething is found that does not work.",
  );
  command.action(async (options: Record<string, unknown>) => {
    const { doctor } = await import("../commands/doctor.js");
    await doctor(options, io);
  });
}
