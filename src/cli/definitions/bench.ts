import type { Command } from "commander";
import { addConfigFlags, type SettingKey } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { numberFlag, urlFlag } from "./flags.js";
import { addNotes } from "./help-notes.js";
import { RUN_SETTINGS } from "./run.js";

const BENCH_SETTINGS: readonly SettingKey[] = [...RUN_SETTINGS, "slots"];

export function addBench(program: Command, io: CliIo): void {
  const command = program.command("bench").description("measure a ring, or compare what it answers with one node");
  command
    .argument("[model]", "a loaded model (default: the first), or anything that serve takes")
    .addOption(urlFlag())
    .option("--json", "print one JSON document")
    .addOption(numberFlag("--duration <seconds>", "end by then (default: 60; with --verify 300)", 1, 86_400))
    .option("--verify", "compare greedy answers with the whole model in this process")
    .option("--against <model>", "with --verify: the model to compare with (default: the same)")
    .addOption(numberFlag("--tolerance <d>", "with --verify: how far log-probabilities may differ", 0, 100));
  addConfigFlags(command, BENCH_SETTINGS);
  addNotes(
    command,
    [
      "exo-native bench",
      "exo-native bench --url http://192.168.1.20:52415 --json > bench.json",
      "exo-native bench --verify",
    ],
    "A running node is measured over its HTTP API. Without one, this process loads\nthe model that is named for as long as it runs.",
  );
  command.action(async (model: string | undefined, options: Record<string, unknown>) => {
    const { bench } = await import("../commands/bench.js");
    await bench(model, options, io);
  });
}
