import { listAt, optionalTextAt, textAt } from "./json.js";

/** From what keeps something from working to what is as it should be. */
export const SEVERITIES = ["problem", "warning", "note", "ok"] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface DoctorFinding {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
  /** Sentences; may be empty. */
  readonly detail: string;
  /** A command or a sentence; `null` where nothing needs to be done. */
  readonly mend: string | null;
}

/** What `GET /cluster/doctor` answers. */
export interface DoctorDocument {
  readonly version: string;
  readonly platform: string;
  readonly arch: string;
  readonly findings: readonly DoctorFinding[];
}

export function parseDoctor(body: unknown): DoctorDocument {
  return {
    version: textAt(body, "version"),
    platform: textAt(body, "platform"),
    arch: textAt(body, "arch"),
    findings: listAt(body, "findings").map(parseFinding),
  };
}

function parseFinding(finding: unknown): DoctorFinding {
  const severity = textAt(finding, "severity");
  return {
    id: textAt(finding, "id"),
    // What a newer node calls otherwise is told as a note.
    severity: SEVERITIES.find((known) => known === severity) ?? "note",
    title: textAt(finding, "title"),
    detail: textAt(finding, "detail"),
    mend: optionalTextAt(finding, "mend"),
  };
}
