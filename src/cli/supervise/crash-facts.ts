import { readFile } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import { packageVersion } from "../../core/package.js";
import { findMemoryLimit } from "../doctor/memory-limit.js";
import { causeOf } from "./crash-cause.js";
import type { CrashReport } from "./crash-report.js";
import type { NodeEnd } from "./node-child.js";
import { oomKills } from "./oom-kills.js";

const MOST_STAGES = 64;

const readText = (path: string): Promise<string | null> => readFile(path, "utf8").catch(() => null);

/** What the supervisor asks of the machine. */
export interface MachineFacts {
  oomKills(): Promise<number | null>;
  memory(): Promise<Omit<CrashReport["memory"], "node">>;
}

export const thisMachine: MachineFacts = {
  oomKills: () => oomKills(readText),
  memory: async () => {
    const limit = await findMemoryLimit({ platform: process.platform, readText });
    return { free: freemem(), total: totalmem(), limit: limit?.bytes ?? null };
  },
};

export interface CrashCircumstances {
  /** The node's. */
  readonly name: string;
  readonly inARow: number;
  /** Since the process began; `null`: not known. */
  readonly oomKills: number | null;
  readonly memory: Omit<CrashReport["memory"], "node">;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function reportOf(end: NodeEnd, circumstances: CrashCircumstances): CrashReport {
  const { exitCode, signal, thrown, stderr } = end;
  const { name, inARow, memory, now } = circumstances;
  return {
    time: new Date(now).toISOString(),
    version: packageVersion(),
    platform: process.platform,
    arch: process.arch,
    nodeVersion: process.version,
    name,
    ...causeOf({ exitCode, signal, thrown, stderr, oomKills: circumstances.oomKills }),
    exitCode,
    signal,
    uptimeSeconds: Math.round(end.uptime) / 1000,
    started: end.identity !== null,
    crashesInARow: inARow,
    stages: end.stages.slice(0, MOST_STAGES),
    memory: { node: end.memoryBytes, ...memory },
    oomKills: circumstances.oomKills,
    thrown,
    stderr: [...stderr],
    log: [...end.log],
  };
}
