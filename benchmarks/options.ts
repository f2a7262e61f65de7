import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../src/core/package.js";
import { type BenchCase, type SubjectSpec, subjectId } from "./cases/bench-case.js";
import { CASES, quickCases } from "./cases/catalogue.js";

export interface BenchOptions {
  readonly model: string;
  readonly cases: readonly BenchCase[];
  readonly repeats: number;
  readonly quick: boolean;
  /** Some cases or subjects only, because they were named or others were shut out. */
  readonly partial: boolean;
  /** Begin no further case when time is over: `--quick`, unless its cases were asked for by name. */
  readonly timed: boolean;
  readonly outDirectory: string;
  /** Build llama.cpp's own tools when they are missing. */
  readonly buildPeers: boolean;
}

export type Request =
  | { readonly kind: "run"; readonly options: BenchOptions }
  | { readonly kind: "print"; readonly text: string };

/** What was typed cannot be understood: a sentence that says what to type. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const DEFAULT_REPEATS = 5;
const MOST_REPEATS = 1000;

export const HELP = `Measures rings of nodes on this machine against llama.cpp's own tools, in turn, and writes a report.

npm run bench -- [options]
  --model SPEC       what to run: a path to a .gguf file, a known name, an https: or npm: spec (default: tinyllama)
  --only IDS         these cases only, e.g. --only decode,prefill-512 (a word stands for all ids that begin with it)
  --subjects IDS     these subjects only, e.g. --subjects one,ring-2
  --repeats N        rounds that count (default: ${DEFAULT_REPEATS}; with --quick: 1)
  --quick            fewer and smaller cases; ends inside two minutes with the demo model
  --peers-only       llama.cpp's tools and node-llama-cpp, no rings
  --no-peers         rings only
  --no-build         do not build llama.cpp's tools when they are missing; leave them out
  --out DIRECTORY    where the report goes (default: benchmarks/results)
  --list             the ids of all cases and subjects
  --help             this text

npm run bench:peers builds llama.cpp's tools. npm run bench:table -- FILE.json prints the README's table of a run.
docs/benchmarks.md says how to read the report.
`;

/** Throws `UsageError`. */
export function parseRequest(args: readonly string[]): Request {
  const values = parseFlags(args);
  if (values.help) return { kind: "print", text: HELP };
  if (values.list) return { kind: "print", text: listing() };
  if (values["peers-only"] && values["no-peers"]) {
    throw new UsageError("--peers-only and --no-peers leave nothing to measure; give one of them.");
  }
  const quick = values.quick;
  return {
    kind: "run",
    options: {
      model: values.model,
      cases: chooseCases(values),
      repeats: wholeNumber("--repeats", values.repeats, quick ? 1 : DEFAULT_REPEATS),
      quick,
      partial: isPartial(values),
      timed: quick && values.only === undefined,
      outDirectory: values.out ?? join(packageRoot(), "benchmarks", "results"),
      buildPeers: !values["no-build"],
    },
  };
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        model: { type: "string", default: "tinyllama" },
        only: { type: "string" },
        subjects: { type: "string" },
        repeats: { type: "string" },
        quick: { type: "boolean", default: false },
        "peers-only": { type: "boolean", default: false },
        "no-peers": { type: "boolean", default: false },
        "no-build": { type: "boolean", default: false },
        out: { type: "string" },
        list: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new UsageError(`${reason} \`npm run bench -- --help\` lists the options.`);
  }
}

type Flags = ReturnType<typeof parseFlags>;

function isPartial(values: Flags): boolean {
  const { only, subjects } = values;
  return only !== undefined || subjects !== undefined || values["peers-only"] || values["no-peers"];
}

function chooseCases(values: Flags): readonly BenchCase[] {
  const all = values.quick && values.only === undefined ? quickCases(CASES) : CASES.map((one) => resized(one, values));
  const wanted = words(values.only);
  const cases = wanted.length === 0 ? all : all.filter(({ id }) => wanted.some((word) => covers(word, id)));
  const unknown = wanted.find((word) => !CASES.some(({ id }) => covers(word, id)));
  if (unknown !== undefined) {
    throw new UsageError(`There is no case ${unknown}; there are ${CASES.map(({ id }) => id).join(", ")}.`);
  }
  return withSubjects(cases, values);
}

/** A case that was asked for by name runs with --quick too, in its small form if it has one. */
function resized(one: BenchCase, { quick }: Flags): BenchCase {
  return quick ? { ...one, ...one.quick } : one;
}

function withSubjects(cases: readonly BenchCase[], values: Flags): readonly BenchCase[] {
  const ids = words(values.subjects);
  const unknown = ids.find((id) => !subjectIds().includes(id));
  if (unknown !== undefined) {
    throw new UsageError(`There is no subject ${unknown}; there are ${subjectIds().join(", ")}.`);
  }
  const isWanted = (spec: SubjectSpec): boolean =>
    (ids.length === 0 || ids.includes(subjectId(spec))) &&
    !(values["peers-only"] && spec.kind === "ring") &&
    !(values["no-peers"] && spec.kind !== "ring");
  const chosen = cases
    .map((one) => ({ ...one, subjects: one.subjects.filter(isWanted) }))
    .filter(({ subjects }) => subjects.length > 0);
  if (chosen.length === 0) throw new UsageError("These options together leave nothing to measure.");
  return chosen;
}

function subjectIds(): readonly string[] {
  return [...new Set(CASES.flatMap(({ subjects }) => subjects.map(subjectId)))];
}

function covers(word: string, id: string): boolean {
  return id === word || id.startsWith(`${word}-`);
}

function words(list: string | undefined): readonly string[] {
  return (list ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

function wholeNumber(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= MOST_REPEATS) return value;
  throw new UsageError(`${flag} takes a whole number from 1 to ${MOST_REPEATS}, not ${text}.`);
}

function listing(): string {
  const width = Math.max(...CASES.map(({ id }) => id.length));
  const cases = CASES.map(
    ({ id, title, subjects }) =>
      `  ${id.padEnd(width)}  ${title}\n  ${" ".repeat(width)}  ${subjects.map(subjectId).join(" ")}`,
  );
  return `Cases, and the subjects of each:\n${cases.join("\n")}\n`;
}
