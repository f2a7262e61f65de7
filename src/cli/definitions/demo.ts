import type { Command } from "commander";
import { addConfigFlags, COMMON_SETTINGS } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { addNotes } from "./help-notes.js";

export function addDemo(program: Command, io: CliIo): void {
  const command = program.command("demo").description("two nodes on this machine as a ring, with a sample answer");
  command
    .option("--model <model>", "the model to run", "tinyllama")
    .option("--prompt <text>", "the sample question", "What is the capital of France?")
    .option("--once", "stop after the answer");
  addConfigFlags(command, ["http", "grpc", ...COMMON_SETTINGS]);
  addNotes(
    command,
    ["exo-native demo", "exo-native demo --once --prompt 'Name three rivers.'", "exo-native demo --http :8080"],
    "--http and --grpc are those of the first node; the second one takes the ports\ntwo above. A port that is taken is replaced by a free one.",
  );
  command.action(async (options: { model: string; prompt: string; once?: boolean; [option: string]: unknown }) => {
    const { demo } = await import("../commands/demo.js");
    await demo({ ...options, once: options.once === true }, io);
  });
}
