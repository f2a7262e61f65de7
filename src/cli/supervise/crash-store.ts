import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CrashReport } from "./crash-report.js";

/** Reports kept; each is some tens of kilobytes at most. */
const MOST_REPORTS = 20;

/** `crash-2026-01-31T12-00-00-000Z-1a2b.json`, so that names are in the order of time. */
const NAME = /^crash-[\dTZ-]{20,30}-[0-9a-f]{4}\.json$/;

export function crashDirectory(cacheDir: string): string {
  return join(cacheDir, "crashes");
}

/** Names of reports, the newest first. */
export function reportNames(names: readonly string[]): readonly string[] {
  return names
    .filter((name) => NAME.test(name))
    .sort()
    .reverse();
}

/** Crash reports in a directory of their own. */
export class CrashStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The report's file; `null`: it cannot be kept, which keeps nothing else from going on. */
  async keep(report: CrashReport): Promise<string | null> {
    const name = `crash-${report.time.replaceAll(/[:.]/g, "-")}-${randomUUID().slice(0, 4)}.json`;
    const file = join(this.#directory, name);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFile(`${file}.new`, `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
      await rename(`${file}.new`, file);
      await this.#forgetOldest();
      return file;
    } catch {
      return null;
    }
  }

  async #forgetOldest(): Promise<void> {
    const tooMany = reportNames(await readdir(this.#directory)).slice(MOST_REPORTS);
    await Promise.all(tooMany.map((name) => rm(join(this.#directory, name), { force: true })));
  }
}
