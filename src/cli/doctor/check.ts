import { pause } from "../../core/waiting.js";
import type { DoctorContext } from "./context.js";
import { type Finding, warning } from "./finding.js";

/** One thing to look at. It says all that it found, also that something is as it should be. */
export interface Check {
  /** Ends the sentence "Could not look at …". */
  readonly subject: string;
  run(context: DoctorContext): Promise<readonly Finding[]>;
}

/** Longer than everything that a check waits for; what it asks has limits of its own. Milliseconds. */
const LONGEST = 20_000;

/** Resolves when a check has had its time, or when the signal aborts. */
export type TimeLimit = (signal: AbortSignal) => Promise<void>;

const systemTimeLimit: TimeLimit = (signal) => pause(LONGEST, signal);

/** What all checks find, in their order. A check that fails or hangs is a finding; the others go on. */
export async function runChecks(
  checks: readonly Check[],
  context: DoctorContext,
  timeLimit: TimeLimit = systemTimeLimit,
): Promise<readonly Finding[]> {
  const findings = await Promise.all(checks.map((check) => runCheck(check, context, timeLimit)));
  return findings.flat();
}

async function runCheck(check: Check, context: DoctorContext, timeLimit: TimeLimit): Promise<readonly Finding[]> {
  const done = new AbortController();
  try {
    return await Promise.race([
      check.run(context),
      timeLimit(done.signal).then(() => [failed(check, "It took too long.")]),
    ]);
  } catch (thrown) {
    return [failed(check, thrown instanceof Error ? thrown.message : String(thrown))];
  } finally {
    done.abort();
  }
}

function failed({ subject }: Check, why: string): Finding {
  return warning("check", `Could not look at ${subject}`, why, "Run it again; if it stays so, please report it.");
}
