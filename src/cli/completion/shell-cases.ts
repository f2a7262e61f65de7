import type { Completable, CompletedCommand } from "./completion-tree.js";

/** Text between single quotes, for bash and zsh. */
export function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Words, or a mark for what the script has to look for. */
function markOf(value: Completable): string {
  return value.kind === "words" ? value.words.join(" ") : `@${value.kind}`;
}

/** A shell function that goes by its first argument, and does what `lines` says of each; empty ones are left out. */
export function caseFunction(name: string, lines: readonly (readonly [pattern: string, action: string])[]): string {
  const cases = lines.map(([pattern, action]) => `    ${singleQuoted(pattern)}) ${action} ;;`);
  return [`${name}() {`, '  case "$1" in', ...cases, "  esac", "}"].join("\n");
}

/** For each option that takes a value, under every one of its names. */
export function valueCases(tree: readonly CompletedCommand[]): readonly (readonly [string, string])[] {
  return tree.flatMap(({ path, options }) =>
    options.flatMap(({ names, value }) =>
      value === null ? [] : names.map((name) => [`${path} ${name}`, `echo ${singleQuoted(markOf(value))}`] as const),
    ),
  );
}

export function argumentCases(tree: readonly CompletedCommand[]): readonly (readonly [string, string])[] {
  return tree.flatMap(({ path, argument }) =>
    argument === null ? [] : [[path, `echo ${singleQuoted(markOf(argument))}`] as const],
  );
}
