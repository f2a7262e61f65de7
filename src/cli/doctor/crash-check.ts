import { join } from "node:path";
import { CRASH_MENDS } from "../supervise/crash-cause.js";
import { type CrashReport, crashReport } from "../supervise/crash-report.js";
import { crashDirectory, reportNames } from "../supervise/crash-store.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, ok, warning } from "./finding.js";
import type { DoctorSystem } from "./system.js";

/** Reports that are told of; the others are in the directory. */
const MOST_TOLD = 3;
/** Older ones say little about the machine as it is. */
const MOST_DAYS = 14;
const DAY = 24 * 3600 * 1000;

/** The newest crashes of nodes of this user on this machine. */
export const crashCheck: Check = {
  subject: "the crash reports",
  run: async ({ config, system }: DoctorContext) => {
    const directory = crashDirectory(config.paths.cacheDir);
    const names = reportNames(await system.list(directory)).slice(0, MOST_TOLD);
    const reports = await Promise.all(names.map((name) => read(join(directory, name), system)));
    const recent = reports.flatMap((read) => (read === null || !isRecent(read.report) ? [] : [read]));
    if (recent.length === 0) return [ok("crashes", `No crash of a node in the last ${MOST_DAYS} days is on record`)];
    return recent.map(({ file, report }) => told(file, report));
  },
};

async function read(file: string, system: DoctorSystem): Promise<{ file: string; report: CrashReport } | null> {
  try {
    return { file, report: crashReport.parse(JSON.parse((await system.readText(file)) ?? "")) };
  } catch {
    return null;
  }
}

function isRecent({ time }: CrashReport): boolean {
  return Date.now() - Date.parse(time) < MOST_DAYS * DAY;
}

function told(file: string, report: CrashReport): Finding {
  const { name, time, cause, stages, kind } = report;
  const models = [...new Set(stages.map(({ path, layerBegin, layerEnd }) => `${path} [${layerBegin}, ${layerEnd})`))];
  const held = models.length === 0 ? "" : ` It held ${models.join(", ")}.`;
  return warning(
    "crashes",
    `The node ${name} crashed at ${time}: ${cause}`,
    `It had run for ${Math.round(report.uptimeSeconds)} s.${held} The report: ${file}.`,
    CRASH_MENDS[kind],
  );
}
