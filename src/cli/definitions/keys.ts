import type { Command } from "commander";
import { DEFAULT_SCOPES, SCOPES } from "../../config/keys/scopes.js";
import { addConfigFlags, COMMON_SETTINGS } from "../config-flags.js";
import type { CliIo } from "../terminal/cli-io.js";
import { addNotes } from "./help-notes.js";

const NOTE =
  "Scopes: infer (ask models), read (look: nodes, metrics, traces), admin (load, unload, fetch and\n" +
  "remove models, drain, doctor). A node that runs takes up a change by itself. As soon as there is a\n" +
  "key, the HTTP API asks for one. Keys are of this machine's nodes: each other node has its own.";

export function addKeys(program: Command, io: CliIo): void {
  const keys = program.command("keys").description("API keys of the nodes on this machine");
  const add = (name: string, description: string, ...examples: string[]): Command => {
    const command = keys.command(name).description(description).option("--json", "print one JSON document");
    addConfigFlags(command, COMMON_SETTINGS);
    return addNotes(command, examples);
  };
  const load = () => import("../commands/keys.js");
  add(
    "create",
    "make a key and print it; it is shown this once",
    "exo-native keys create --name laptop",
    "exo-native keys create --scope infer,read,admin --expires 30d",
  )
    .option("--scope <scopes>", `what it is good for: ${SCOPES.join(", ")} (default: ${DEFAULT_SCOPES.join(",")})`)
    .option("--name <text>", "what the list calls it")
    .option("--expires <time>", "how long it is good, e.g. 12h or 30d (default: until it is revoked)")
    .action(async (options: Record<string, unknown>) => (await load()).createKey(options, io));
  add("list", "the keys that there are, without the keys themselves", "exo-native keys list").action(
    async (options: Record<string, unknown>) => (await load()).listKeys(options, io),
  );
  add("revoke", "make a key good for nothing", "exo-native keys revoke h7k2m9xq")
    .argument("<id>", "id or name as listed")
    .action(async (id: string, options: Record<string, unknown>) => (await load()).revokeKey(id, options, io));
  addNotes(keys, ["exo-native keys create --name laptop", "exo-native keys list"], NOTE);
}
