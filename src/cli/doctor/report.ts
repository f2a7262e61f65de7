import type { DoctorReport } from "../../api/ports.js";
import { packageVersion } from "../../core/package.js";
import { wrapped } from "../terminal/columns.js";
import type { Paint } from "../terminal/paint.js";
import { type Finding, SEVERITIES, type Severity } from "./finding.js";
import type { DoctorSystem } from "./system.js";

/** Whom the findings are of. */
export interface Subject {
  readonly version: string;
  readonly platform: string;
  readonly arch: string;
  readonly node: string;
}

export function subjectOf({ platform, arch, nodeVersion }: DoctorSystem): Subject {
  return { version: packageVersion(), platform, arch, node: nodeVersion };
}

const MARKS: Readonly<Record<Severity, string>> = { problem: "✗", warning: "!", note: "●", ok: "✓" };
const COLOURS = { problem: "red", warning: "yellow", note: "cyan", ok: "green" } as const;
const INDENT = 2;

/** The findings for people, the worst first, in lines of fewer than `width` columns. */
export function findingsText(subject: Subject, findings: readonly Finding[], width: number, paint: Paint): string {
  const { version, platform, arch, node } = subject;
  const sorted = SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
  return [
    `${paint("bold", `exo-native ${version}`)} on ${platform} ${arch}, Node ${node}`,
    "",
    ...sorted.flatMap((finding) => findingLines(finding, width, paint)),
    "",
    summaryText(findings, paint),
    "",
  ].join("\n");
}

function findingLines({ severity, title, detail, mend, id }: Finding, width: number, paint: Paint): readonly string[] {
  const mark = paint(COLOURS[severity], MARKS[severity]);
  const [first = "", ...rest] = wrapped(title, width - INDENT - 1);
  const head = [`${mark} ${first}`, ...rest.map(indented)];
  // What is in order needs no words; --json has them.
  if (severity === "ok") return head;
  const body = wrapped(`${detail} (${id})`.trim(), width - INDENT - 1);
  const cure = mend === null ? [] : wrapped(`→ ${mend}`, width - INDENT - 3);
  const hanging = cure.map((line, index) => indented(index === 0 ? line : `  ${line}`));
  return [...head, ...body.map((line) => paint("dim", indented(line))), ...hanging];
}

function indented(line: string): string {
  return " ".repeat(INDENT) + line;
}

function summaryText(findings: readonly Finding[], paint: Paint): string {
  const counts = countsOf(findings);
  const words = [
    counts.problem > 0 ? paint("red", several(counts.problem, "problem")) : "no problem",
    ...(counts.warning > 0 ? [paint("yellow", several(counts.warning, "warning"))] : []),
    ...(counts.note > 0 ? [several(counts.note, "note")] : []),
    `${counts.ok} in order`,
  ];
  return words.join(", ");
}

export function several(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

export function countsOf(findings: readonly Finding[]): Readonly<Record<Severity, number>> {
  const count = (severity: Severity) => findings.filter((finding) => finding.severity === severity).length;
  return { problem: count("problem"), warning: count("warning"), note: count("note"), ok: count("ok") };
}

/** The same for programs. */
export function findingsDocument(subject: Subject, findings: readonly Finding[]): DoctorReport {
  return { ...subject, summary: countsOf(findings), findings };
}
