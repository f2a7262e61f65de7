import type { Command } from "commander";
import { addSamplingFlags } from "../chat/sampling-flags.js";
import { addConfigFlags, COMMON_SETTINGS, type SettingKey } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { urlFlag } from "./flags.js";
import { addNotes } from "./help-notes.js";

/** What `run` needs of a node's settings when it has to be the node itself. */
export const RUN_SETTINGS: readonly SettingKey[] = [
  "memory",
  "device",
  "threads",
  "threadsBatch",
  "mmap",
  "mlock",
  "ctx",
  "ubatch",
  "kv",
  "kvV",
  "flashAttention",
  "apiKey",
  ...COMMON_SETTINGS,
];

export function addRun(program: Command, io: CliIo): void {
  const command = program.command("run").description("chat in the terminal, or answer one prompt");
  command
    .argument("<model>", "the name of a loaded model, or anything that serve takes")
    .argument("[prompt...]", "what to ask, above what is piped in; without either a chat begins")
    .addOption(urlFlag())
    .option("--system <text>", "a system prompt")
    .option("--raw", "let the model go on after the prompt as it is, without chat template")
    .option("--stats", "tell tokens and speed after the answer; a chat does so anyway")
    .option("--no-stats", "a chat does not")
    .option("--no-history", "neither read nor keep what was typed in chats (also EXO_NATIVE_NO_HISTORY=1)");
  addSamplingFlags(command);
  addConfigFlags(command, RUN_SETTINGS);
  addNotes(
    command,
    [
      "exo-native run tinyllama",
      'exo-native run tinyllama "Why is the sky blue?" --max-tokens 100',
      'exo-native run tinyllama "Summarize this:" < report.txt > summary.txt',
      "git diff | exo-native run tinyllama --system 'Write a commit message.'",
    ],
    "A running node that has the model, or loads it on demand, answers. Without\none, this process loads the model for as long as it runs.",
  );
  command.action(async (model: string, words: readonly string[], options: Record<string, unknown>) => {
    const { run } = await import("../commands/run.js");
    await run(model, words, options, io);
  });
}
