import type { CrashKind, CrashReport } from "./crash-report.js";

interface Facts extends Pick<CrashReport, "exitCode" | "signal" | "oomKills" | "thrown"> {
  readonly stderr: readonly string[];
}

export interface CrashCause {
  readonly kind: CrashKind;
  /** A clause. */
  readonly cause: string;
}

/** What happened, as far as can be told from outside. */
export function causeOf(facts: Facts): CrashCause {
  const { signal, oomKills, stderr } = facts;
  if (signal === "SIGKILL") {
    return (oomKills ?? 0) > 0
      ? { kind: "memory", cause: "the system ended it because memory ran out (SIGKILL of the OOM killer)" }
      : { kind: "killed", cause: "it was ended with SIGKILL" };
  }
  if (signal === "SIGABRT" || facts.exitCode === ABORT_CODE) {
    const heap = stderr.some((line) => /heap out of memory/.test(line));
    if (heap) return { kind: "memory", cause: "its JavaScript heap was full" };
    return { kind: "assertion", cause: `it ended itself (SIGABRT)${said(stderr)}` };
  }
  if (signal !== null) return { kind: "signal", cause: `it was ended by ${signal}${said(stderr)}` };
  return fromWithin(facts);
}

/** 128 + SIGABRT, where a shell or a container says it so. */
const ABORT_CODE = 134;

function fromWithin({ thrown, exitCode, stderr }: Facts): CrashCause {
  if (thrown === null) return { kind: "exit", cause: `it ended with exit code ${exitCode}${said(stderr)}` };
  const message = thrown.message === null ? "" : `: ${thrown.message}`;
  const where = thrown.frames[0] === undefined ? "" : ` ${thrown.frames[0]}`;
  return { kind: "exception", cause: `an error that nobody caught ended it: ${thrown.name}${message}${where}` };
}

/** The words that say most: an assertion, else the first of the last words. */
function said(stderr: readonly string[]): string {
  const telling = stderr.findLast((line) => /:\d+: |what\(\)|error/i.test(line)) ?? stderr[0];
  return telling === undefined ? "" : `: ${telling.trim()}`;
}

/** What to do about it. */
export const CRASH_MENDS: Readonly<Record<CrashKind, string>> = {
  memory:
    "Offer less (--memory), use a smaller context (--ctx) or fewer slots (--slots), or raise the limit of the container or unit.",
  killed:
    "If nobody did it: the system's log (journalctl -k, dmesg) tells who ran out of memory. Offer less then (--memory).",
  assertion:
    "Report it with this file. Until then try --flash-attention off, --kv f16, --speculation off, or --device cpu.",
  signal: "Update the driver of the graphics card; try --device cpu. If it stays so, report it with this file.",
  exception: "Report it with this file: this is a fault of exo-native itself.",
  exit: "Look at the log of that time, and report it with this file.",
};
