import { inColumns } from "../../terminal/columns.js";
import type { ChatActions, ChatCommand } from "./chat-command.js";
import { clearCommand, loadCommand, regenerateCommand, saveCommand, undoCommand } from "./conversation-commands.js";
import { modelCommand } from "./model-command.js";
import { setCommand, statsCommand, systemCommand } from "./settings-commands.js";

const helpCommand: ChatCommand = {
  names: ["help", "?"],
  argument: null,
  description: "this list",
  run: (chat) => chat.print(helpLines()),
};

const exitCommand: ChatCommand = {
  names: ["exit", "quit", "bye"],
  argument: null,
  description: "leave (so does Ctrl-D)",
  run: (chat) => chat.leave(),
};

/** In the order of the help. */
export const CHAT_COMMANDS: readonly ChatCommand[] = [
  clearCommand,
  regenerateCommand,
  undoCommand,
  modelCommand,
  systemCommand,
  setCommand,
  statsCommand,
  saveCommand,
  loadCommand,
  helpCommand,
  exitCommand,
];

const KEYS = [
  "",
  '  A line that ends in \\ goes on in the next one; """ begins and ends a text of several lines; pasted',
  "  line breaks do not send. Tab completes what begins with a slash. Ctrl-C stops an answer, and at an",
  "  empty prompt, pressed twice, leaves.",
];

function helpLines(): readonly string[] {
  const rows = CHAT_COMMANDS.map(({ names, argument, description }) => [
    `  /${names[0]}${argument === null ? "" : ` ${argument}`}`,
    description,
  ]);
  return [...inColumns(rows), ...KEYS];
}

/** A word behind a slash that holds no further slash, so that paths can be asked about. */
const SHAPE = /^\/([a-z?]+)(?:\s+([\s\S]*))?$/i;

/** The command that an entry is, with its argument; `null` for a question; `unknown` for a word that is none of them. */
export function commandIn(
  entry: string,
): { readonly command: ChatCommand; readonly argument: string } | { readonly unknown: string } | null {
  const [whole, word = "", argument = ""] = SHAPE.exec(entry) ?? [];
  if (whole === undefined) return null;
  const command = CHAT_COMMANDS.find(({ names }) => names.includes(word.toLowerCase()));
  return command === undefined ? { unknown: `/${word}` } : { command, argument: argument.trim() };
}

/** What a line could become, and the part of it that these replace; for readline. */
export async function completionsOf(chat: ChatActions, line: string): Promise<[string[], string]> {
  const typed = line.trimStart();
  if (!typed.startsWith("/")) return [[], line];
  const space = typed.indexOf(" ");
  if (space < 0) {
    const names = CHAT_COMMANDS.map(({ names: [first = ""], argument }) => `/${first}${argument === null ? "" : " "}`);
    return [names.filter((name) => name.startsWith(typed)), typed];
  }
  const command = CHAT_COMMANDS.find(({ names }) => names.includes(typed.slice(1, space)));
  const argument = typed.slice(space + 1).trimStart();
  const found = (await command?.complete?.(chat, argument)) ?? [];
  return [found.filter((one) => one.startsWith(argument)), argument];
}
