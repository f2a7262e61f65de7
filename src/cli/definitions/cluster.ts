import type { Command } from "commander";
import { addConfigFlags, COMMON_SETTINGS, type SettingKey } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { numberFlag, urlFlag } from "./flags.js";
import { addNotes } from "./help-notes.js";

type Options = Record<string, unknown>;

export function addCluster(program: Command, io: CliIo): void {
  const cluster = program
    .command("cluster")
    .description("machines that trust each other: who is in, who comes in, who is out");
  const load = () => import("../commands/cluster.js");
  const add = (name: string, description: string, settings: readonly SettingKey[] = []): Command =>
    addConfigFlags(cluster.command(name).description(description).option("--json", "print one JSON document"), [
      ...settings,
      ...COMMON_SETTINGS,
    ]);
  addNotes(
    add("init", "make a cluster with a secret, of which this machine is the first")
      .option("--name <name>", "what to call the cluster", "home")
      .action(async (options: Options) => (await load()).initCluster(options, io)),
    ["exo-native cluster init --name lab"],
  );
  addInvite(add("invite", "make a token that lets a machine in", ["grpc", "apiKey"]), io);
  addNotes(
    add("join", "let this machine into the cluster of a token", ["name"])
      .argument("<token>", "as cluster invite printed it")
      .action(async (token: string, options: Options) => (await load()).joinCluster(token, options, io)),
    ["exo-native cluster join exo-join-AbC..."],
    "serve --join does the same, and starts a node.",
  );
  addNotes(
    add("leave", "take this machine out, and remove its keys", ["apiKey"])
      .addOption(urlFlag())
      .option("--force", "also when no admin is left")
      .action(async (options: Options) => (await load()).leaveCluster(options, io)),
    ["exo-native cluster leave"],
  );
  addNotes(
    add("members", "who is in the cluster, with the ids of their keys", ["apiKey"])
      .addOption(urlFlag())
      .action(async (options: Options) => (await load()).listMembers(options, io)),
    ["exo-native cluster members", "exo-native cluster members --json"],
  );
  addNotes(
    add("revoke", "put a machine out of the cluster, at once")
      .argument("<node>", "its name, its id, or the beginning of that")
      .action(async (node: string, options: Options) => (await load()).revokeNode(node, options, io)),
    ["exo-native cluster revoke attic"],
  );
  addNotes(
    add("rotate", "give the cluster a new authority, and every node a new certificate")
      .option("--overlap <time>", "how long certificates of the former one count", "30d")
      .action(async (options: Options) => (await load()).rotateCluster(options, io)),
    ["exo-native cluster rotate", "exo-native cluster rotate --overlap 10m"],
    "A machine that is not seen before the overlap ends needs a new token.",
  );
  addNotes(cluster, [
    "exo-native cluster init             # on the first machine",
    "exo-native cluster invite           # on it, for each other machine",
    "exo-native serve --join exo-join-AbC...  # on that machine",
  ]);
}

function addInvite(command: Command, io: CliIo): void {
  command
    .addOption(urlFlag())
    .option("--expires <time>", "until when it can be used, from now", "1h")
    .addOption(numberFlag("--uses <n>", "machines that may use it", 1, 1000).default(1))
    .option("--admin", "the machine that joins may invite and revoke, too")
    .option("--address <host:port>", "where this machine is reached; may be repeated (default: its addresses)", collect)
    .option("--qr", "also print it as a QR code")
    .action(async (options: Options) => (await import("../commands/cluster.js")).inviteNode(options, io));
  addNotes(command, [
    "exo-native cluster invite",
    "exo-native cluster invite --admin --expires 10m",
    "exo-native cluster invite --uses 5 --address studio.example.org:52416",
  ]);
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
