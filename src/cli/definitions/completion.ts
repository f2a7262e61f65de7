import { Argument, type Command } from "commander";
import { SHELLS, type Shell } from "../completion/shells.js";
import { addConfigFlags, COMMON_SETTINGS } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { urlFlag } from "./flags.js";
import { addNotes } from "./help-notes.js";

/** Prints the names that a model can be given by, a line each; for the scripts of `completion`. */
const MODEL_NAMES_COMMAND = "model-names";

export function addCompletion(program: Command, io: CliIo): void {
  const command = program
    .command("completion")
    .description("print a script that lets a shell complete commands, options and models")
    .addArgument(new Argument("<shell>", SHELLS.join(", ")).choices(SHELLS));
  addNotes(
    command,
    [
      "source <(exo-native completion bash)     # in ~/.bashrc",
      "source <(exo-native completion zsh)      # in ~/.zshrc, below compinit",
      "exo-native completion fish > ~/.config/fish/completions/exo-native.fish",
    ],
    "The script knows this release; print it again after an update. It completes\nexo-native itself, so that has to be on the path.",
  );
  command.action(async (shell: Shell) => {
    const { completion } = await import("../commands/completion.js");
    completion(shell, program, io);
  });
  const names = program.command(MODEL_NAMES_COMMAND, { hidden: true }).addOption(urlFlag());
  addConfigFlags(names, ["apiKey", ...COMMON_SETTINGS]).action(async (options: Record<string, unknown>) => {
    const { modelNames } = await import("../commands/completion.js");
    await modelNames(options, io);
  });
}
