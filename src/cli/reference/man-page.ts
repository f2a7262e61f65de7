import type { CommandFacts, OptionFacts } from "./command-facts.js";

/** What is not in the definition of any command. */
const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ["EXO_NATIVE_HOME", "Models and configuration lie below this directory."],
  ["EXO_NATIVE_<OPTION>", "Every setting of serve, e.g. EXO_NATIVE_MIN_NODES for --min-nodes. An option wins over it."],
  ["EXO_NATIVE_URL", "The node to ask."],
  ["HF_ENDPOINT, HF_TOKEN", "The model hub, and the key for it."],
  ["HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "The way to the model hub and the npm registry."],
  ["NO_COLOR, FORCE_COLOR", "No colours; colours also where no terminal is."],
];

const FILES: readonly (readonly [path: string, meaning: string])[] = [
  ["~/.cache/exo-native/models", "Models."],
  ["~/.config/exo-native/config.json", 'Settings, e.g. {"min-nodes": 2}.'],
  ["~/.config/exo-native/chat-history", "What was typed in chats."],
];

const EXIT_STATUS: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "Done."],
  ["1", "Failed; a sentence on standard error says why."],
  ["2", "Bad usage."],
];

/** The manual in the language of man(7), one page for all commands. */
export function manPage(version: string, description: string, commands: readonly CommandFacts[]): string {
  return [
    '.\\" Made by npm run docs:cli of the definition of the commands.',
    `.TH EXO\\-NATIVE 1 "" "exo\\-native ${text(version)}" "User Commands"`,
    // Names of variables and options are not to be broken.
    ".nh",
    ".ad l",
    ".SH NAME",
    "exo\\-native \\- one language model across the machines you own",
    ".SH SYNOPSIS",
    ...commands.flatMap(({ usage }) => [".br", text(usage)]),
    ".SH DESCRIPTION",
    text(description),
    ".SH COMMANDS",
    ...commands.flatMap(commandLines),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(tagged),
    ".SH FILES",
    ...FILES.flatMap(tagged),
    ".SH EXIT STATUS",
    ...EXIT_STATUS.flatMap(tagged),
    "",
  ].join("\n");
}

function commandLines({ usage, description, parameters, groups, notes }: CommandFacts): readonly string[] {
  return [
    `.SS ${text(usage)}`,
    text(`${description.charAt(0).toUpperCase()}${description.slice(1)}.`),
    ...(notes.text === null ? [] : [".PP", ...notes.text.split("\n").map(text)]),
    ...parameters.flatMap(({ name, description: meaning }) => tagged([name, meaning])),
    ...groups.flatMap(({ options }) => options.flatMap((option) => tagged([option.flags, optionText(option)]))),
    ...(notes.examples.length === 0
      ? []
      : [".PP", "Examples:", ".PP", ".nf", ".RS 4", ...notes.examples.map(text), ".RE", ".fi"]),
  ];
}

function optionText(option: OptionFacts): string {
  const more = [
    ...(option.default === null ? [] : [`default: ${option.default}`]),
    ...(option.variable === null ? [] : [`variable: ${option.variable}`]),
  ];
  return more.length === 0 ? option.description : `${option.description} (${more.join("; ")})`;
}

function tagged([tag, meaning]: readonly [string, string]): readonly string[] {
  return [".TP", `.B ${text(tag)}`, text(meaning)];
}

/** A line that begins with a dot or a quote would be a request; a dash alone would be a hyphen that cannot be copied. */
function text(plain: string): string {
  const safe = plain.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll('"', "\\(dq").replaceAll("'", "\\(aq");
  return /^\./.test(safe) ? `\\&${safe}` : safe;
}
