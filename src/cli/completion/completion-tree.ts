import type { Argument, Command, Option as Flag } from "commander";
import type { Option } from "../../config/option.js";
import { OPTIONS } from "../../config/options.js";

/** What may stand in a place: these words, the path of a file, the name of a model, or something that nobody can guess. */
export type Completable =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "file" | "model" | "any" };

export interface CompletedOption {
  /** With dashes, the long one first. */
  readonly names: readonly string[];
  readonly description: string;
  /** `null`: it takes no value. */
  readonly value: Completable | null;
}

export interface CompletedCommand {
  /** Its words, joined by spaces; the program itself is "". */
  readonly path: string;
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** Its first argument; `null`: it has none. */
  readonly argument: Completable | null;
}

const CHOICES = new Map(
  Object.values(OPTIONS).map((option: Option<unknown>) => [`--${option.flag}`, option.choices ?? null]),
);

/** What shells can complete, read from the command line's own definition; hidden commands are left out. */
export function completionTree(program: Command): readonly CompletedCommand[] {
  return treeOf(program, [], []);
}

/** @param beside names of the commands that stand beside this one */
function treeOf(command: Command, path: readonly string[], beside: readonly string[]): readonly CompletedCommand[] {
  const help = command.createHelp();
  const subcommands = help.visibleCommands(command);
  const names = subcommands.map((one) => one.name());
  const own: CompletedCommand = {
    path: path.join(" "),
    subcommands: subcommands.map((one) => ({ name: one.name(), description: one.description() })),
    options: help.visibleOptions(command).map(optionOf),
    argument: argumentOf(command, path.at(-1) === "help" ? beside : []),
  };
  return [own, ...subcommands.flatMap((one) => treeOf(one, [...path, one.name()], names))];
}

function optionOf(option: Flag): CompletedOption {
  const names = [option.long, option.short].filter((name) => typeof name === "string");
  return { names, description: option.description, value: completedValue(option) };
}

function completedValue({ flags, required, optional, argChoices, long }: Flag): Completable | null {
  if (!required && !optional) return null;
  const words = argChoices ?? CHOICES.get(long ?? "") ?? null;
  return words === null ? named(/[<[]([^>\]]+)[>\]]/.exec(flags)?.[1] ?? "") : { kind: "words", words };
}

/** @param commands of `help`, whose argument is one of these */
function argumentOf({ registeredArguments }: Command, commands: readonly string[]): Completable | null {
  if (commands.length > 0) return { kind: "words", words: commands };
  const [first]: readonly Argument[] = registeredArguments;
  if (first === undefined) return null;
  return first.argChoices === undefined ? named(first.name()) : { kind: "words", words: first.argChoices };
}

/** The help's word for a value says what it is. */
function named(placeholder: string): Completable {
  return { kind: placeholder === "file" || placeholder === "model" ? placeholder : "any" };
}
