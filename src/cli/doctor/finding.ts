/** From what keeps something from working to what is as it should be. */
export const SEVERITIES = ["problem", "warning", "note", "ok"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Every finding there can be, by id. `docs/troubleshooting.md` lists the same ids; a test holds the two together. */
export const FINDING_IDS = [
  "config.file",
  "config.environment",
  "config.secrets",
  "trust.files",
  "trust.certificate",
  "trust.admins",
  "access",
  "access.keys",
  "node",
  "members.state",
  "members.version",
  "peers",
  "ports.http",
  "ports.grpc",
  "interfaces",
  "multicast",
  "firewall",
  "native.addon",
  "native.cpu",
  "native.gpu",
  "native.device",
  "build.node",
  "build.tools",
  "memory",
  "memory.cap",
  "limits.files",
  "limits.memlock",
  "disk.space",
  "disk.write",
  "cache",
  "cache.incomplete",
  "cache.damaged",
  "crashes",
  "clock",
  "clock.sync",
  "reach.npm",
  "reach.hub",
  "reach.proxy",
  "check",
] as const;
export type FindingId = (typeof FINDING_IDS)[number];

/** What a check found. */
export interface Finding {
  readonly id: FindingId;
  readonly severity: Severity;
  /** One line. */
  readonly title: string;
  /** Sentences; may be empty. */
  readonly detail: string;
  /** A command or a sentence; `null` where nothing needs to be done. */
  readonly mend: string | null;
}

export function ok(id: FindingId, title: string, detail = ""): Finding {
  return { id, severity: "ok", title, detail, mend: null };
}

/** Good to know; nothing that works worse for it. */
export function note(id: FindingId, title: string, detail = "", mend: string | null = null): Finding {
  return { id, severity: "note", title, detail, mend };
}

/** Something works worse, or may not work. */
export function warning(id: FindingId, title: string, detail: string, mend: string): Finding {
  return { id, severity: "warning", title, detail, mend };
}

/** Something does not work. */
export function problem(id: FindingId, title: string, detail: string, mend: string): Finding {
  return { id, severity: "problem", title, detail, mend };
}
