import type { Command } from "commander";

/** What the help of a command says below its options. */
export interface HelpNotes {
  readonly text: string | null;
  /** Command lines, some with a comment. */
  readonly examples: readonly string[];
}

const NOTES = new WeakMap<Command, HelpNotes>();

/** Adds them to the help, and keeps them for the manual. */
export function addNotes(command: Command, examples: readonly string[], text: string | null = null): Command {
  NOTES.set(command, { text, examples });
  const shown = ["", ...(text === null ? [] : [text, ""]), "Examples:", ...examples.map((line) => `  ${line}`)];
  return command.addHelpText("after", shown.join("\n"));
}

export function notesOf(command: Command): HelpNotes {
  return NOTES.get(command) ?? { text: null, examples: [] };
}
