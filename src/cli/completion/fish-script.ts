import type { Completable, CompletedCommand, CompletedOption } from "./completion-tree.js";

const MODELS = "(exo-native model-names 2> /dev/null)";

/** One `complete` line for each thing that can be typed, under the condition that its command stands before it. */
export function fishScript(tree: readonly CompletedCommand[], version: string): string {
  return [
    `# fish completion for exo-native ${version}; made by "exo-native completion fish"`,
    "complete -c exo-native -f",
    ...tree.flatMap((command) => [...commandLines(command), ...optionLines(command), ...argumentLines(command)]),
    "",
  ].join("\n");
}

function commandLines({ path, subcommands }: CompletedCommand): readonly string[] {
  const names = subcommands.map(({ name }) => name).join(" ");
  const notYet = path === "" ? "__fish_use_subcommand" : `${seen(path)}; and not __fish_seen_subcommand_from ${names}`;
  return subcommands.map(({ name, description }) => line(notYet, `-a ${name}`, description));
}

function optionLines({ path, options }: CompletedCommand): readonly string[] {
  const condition = path === "" ? "__fish_use_subcommand" : seen(path);
  return options.map((option) => line(condition, optionWords(option), option.description));
}

function optionWords({ names, value }: CompletedOption): string {
  const flags = names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  return [...flags, ...(value === null ? [] : [valueWords(value)])].join(" ");
}

function valueWords(value: Completable): string {
  if (value.kind === "words") return `-x -a ${quoted(value.words.join(" "))}`;
  if (value.kind === "model") return `-r -F -a ${quoted(MODELS)}`;
  return value.kind === "file" ? "-r -F" : "-x";
}

function argumentLines({ path, argument }: CompletedCommand): readonly string[] {
  if (argument === null || argument.kind === "any") return [];
  const words = { model: `-F -a ${quoted(MODELS)}`, file: "-F" };
  return [
    line(seen(path), argument.kind === "words" ? `-a ${quoted(argument.words.join(" "))}` : words[argument.kind], ""),
  ];
}

function seen(path: string): string {
  return path
    .split(" ")
    .map((word) => `__fish_seen_subcommand_from ${word}`)
    .join("; and ");
}

function line(condition: string, words: string, description: string): string {
  const told = description === "" ? "" : ` -d ${quoted(description)}`;
  return `complete -c exo-native -n ${quoted(condition)} ${words}${told}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
