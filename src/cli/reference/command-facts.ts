import type { Command, Option as Flag } from "commander";
import { environmentName } from "../../config/load.js";
import type { Option } from "../../config/option.js";
import { OPTIONS } from "../../config/options.js";
import { type HelpNotes, notesOf } from "../definitions/help-notes.js";

export interface OptionFacts {
  /** `-h, --help`, `--http <host:port>` */
  readonly flags: string;
  /** Without its default. */
  readonly description: string;
  readonly default: string | null;
  /** The environment variable that says the same. */
  readonly variable: string | null;
}

export interface OptionGroup {
  /** As in the help, without the colon. */
  readonly heading: string;
  readonly options: readonly OptionFacts[];
}

/** All that the help of a command says, as data. */
export interface CommandFacts {
  /** `exo-native models pull` */
  readonly name: string;
  /** `exo-native models pull [options] <model>` */
  readonly usage: string;
  readonly description: string;
  readonly parameters: readonly { readonly name: string; readonly description: string }[];
  readonly groups: readonly OptionGroup[];
  readonly notes: HelpNotes;
}

/** The commands that do something, in the order of the help. */
export function commandFacts(program: Command): readonly CommandFacts[] {
  const help = program.createHelp();
  const shown = help.visibleCommands(program).filter((command) => command.name() !== "help");
  return shown.flatMap((command) => (command.commands.length > 0 ? commandFacts(command) : [factsOf(command)]));
}

function factsOf(command: Command): CommandFacts {
  const help = command.createHelp();
  return {
    name: nameOf(command),
    usage: help.commandUsage(command),
    description: command.description(),
    parameters: help.visibleArguments(command).map((argument) => ({
      name: help.argumentTerm(argument),
      description: argument.description,
    })),
    groups: groupsOf(help.visibleOptions(command).filter(({ long }) => long !== "--help")),
    notes: notesOf(command),
  };
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

const OWN = "Options";

function groupsOf(options: readonly Flag[]): readonly OptionGroup[] {
  // Those of the command itself first.
  const headings = [...new Set([OWN, ...options.map(headingOf)])].filter((heading) =>
    options.some((option) => headingOf(option) === heading),
  );
  return headings.map((heading) => ({
    heading,
    options: options.filter((option) => headingOf(option) === heading).map(optionFacts),
  }));
}

function headingOf({ helpGroupHeading }: Flag): string {
  return (helpGroupHeading ?? OWN).replace(/:$/, "");
}

const DEFAULT = / \(default: (.*)\)$/s;

function optionFacts(option: Flag): OptionFacts {
  const own: unknown = option.defaultValue;
  return {
    flags: option.flags,
    description: option.description.replace(DEFAULT, ""),
    default: typeof own === "string" ? own : (DEFAULT.exec(option.description)?.[1] ?? null),
    variable: option.envVar ?? variableOf(option),
  };
}

/** Switches that have a variable without being settings. */
const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  "--config": "EXO_NATIVE_CONFIG",
  "--no-discovery": "EXO_NATIVE_NO_DISCOVERY",
  "--no-supervise": "EXO_NATIVE_NO_SUPERVISE",
  "--no-history": "EXO_NATIVE_NO_HISTORY",
};

const SETTINGS: readonly Option<unknown>[] = Object.values(OPTIONS);

/** An option of a setting's name may mean something else: then it is described in other words. */
function variableOf({ long = "", description }: Flag): string | null {
  const setting = SETTINGS.find(({ flag }) => `--${flag}` === long);
  if (setting !== undefined && description.startsWith(setting.description)) return environmentName(setting.flag);
  return OTHER_VARIABLES[long] ?? null;
}
