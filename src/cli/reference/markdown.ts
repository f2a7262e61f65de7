import { ExoError } from "../../core/errors.js";
import type { CommandFacts, OptionFacts } from "./command-facts.js";

const BEGIN = "<!-- begin: made by npm run docs:cli -->";
const END = "<!-- end: made by npm run docs:cli -->";

/** The page with its generated part made anew. */
export function withReference(page: string, commands: readonly CommandFacts[]): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new ExoError("invalid_argument", `The page has no part between "${BEGIN}" and "${END}".`);
  }
  const reference = commands.map(commandText).join("\n\n");
  return `${page.slice(0, begin + BEGIN.length)}\n\n${reference}\n\n${page.slice(end)}`;
}

function commandText({ name, usage, description, parameters, groups, notes }: CommandFacts): string {
  return [
    `### \`${name}\``,
    `${sentence(description)}${notes.text === null ? "" : ` ${escaped(notes.text.replaceAll("\n", " "))}`}`,
    ["```", usage, "```"].join("\n"),
    ...(parameters.length === 0
      ? []
      : [parameters.map((one) => `- \`${one.name}\`: ${escaped(one.description)}`).join("\n")]),
    ...groups.flatMap(({ heading, options }) => [...(groups.length > 1 ? [`**${heading}**`] : []), table(options)]),
    ...(notes.examples.length === 0 ? [] : [["```sh", ...notes.examples, "```"].join("\n")]),
  ].join("\n\n");
}

function sentence(text: string): string {
  return `${escaped(text.charAt(0).toUpperCase() + text.slice(1))}.`;
}

function table(options: readonly OptionFacts[]): string {
  const rows = options.map((option) => [
    `\`${option.flags}\``,
    defaultText(option.default ?? ""),
    option.variable === null ? "" : `\`${option.variable}\``,
    escaped(option.description),
  ]);
  return [["option", "default", "variable", "meaning"], ["---", "---", "---", "---"], ...rows]
    .map((cells) => `| ${cells.map(inCell).join(" | ")} |`)
    .join("\n");
}

/** A value stands as it is typed, a description as text. */
function defaultText(text: string): string {
  return text === "" || text.includes(" ") ? escaped(text) : `\`${text}\``;
}

/** Also inside of code a bar would end the cell. */
function inCell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function escaped(text: string): string {
  return text.replaceAll("<", "\\<").replaceAll("*", "\\*").replaceAll("_", "\\_");
}
