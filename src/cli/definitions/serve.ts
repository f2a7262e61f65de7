import type { Command } from "commander";
import { ALL_SETTINGS, addConfigFlags } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { addNotes } from "./help-notes.js";

const SETTINGS_NOTE =
  "Every option is also an environment variable (--min-nodes: EXO_NATIVE_MIN_NODES)\n" +
  "and a key of the configuration file (~/.config/exo-native/config.json), e.g.\n" +
  '{"min-nodes": 2}. An option wins over the environment, which wins over the file.';

export function addServe(program: Command, io: CliIo): void {
  const command = program.command("serve").description("start a node; with a model, place it as soon as it can be");
  command.argument("[model]", "a path to a .gguf file, an hf:, https: or npm: spec, or a known name such as tinyllama");
  addConfigFlags(command, ALL_SETTINGS);
  addNotes(
    command,
    [
      "exo-native serve tinyllama",
      "exo-native serve ./model.gguf --slots 8",
      "exo-native serve tinyllama --open --min-nodes 2    # on the first machine",
      "exo-native serve --open                            # on the second",
      "exo-native serve --open --peer 192.168.1.20        # or from elsewhere",
    ],
    SETTINGS_NOTE,
  );
  command.action(async (model: string | undefined, options: Record<string, unknown>) => {
    const { serve } = await import("../commands/serve.js");
    await serve(model, options, io);
  });
}
