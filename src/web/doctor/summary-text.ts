import type { DoctorFinding, Severity } from "../api/doctor-document.js";

/** How many findings of which kind, e.g. `1 problem, 2 notes, 14 in order`. */
export function summaryText(findings: readonly Pick<DoctorFinding, "severity">[]): string {
  const count = (severity: Severity): number => findings.filter((finding) => finding.severity === severity).length;
  return [
    count("problem") === 0 ? "No problem" : several(count("problem"), "problem"),
    ...(count("warning") > 0 ? [several(count("warning"), "warning")] : []),
    ...(count("note") > 0 ? [several(count("note"), "note")] : []),
    `${count("ok")} in order`,
  ].join(", ");
}

function several(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
