import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ModelProgress } from "./progress.js";

/** How far a download is, for other processes of this machine that wait for the same model. */
const schema = z.object({
  received: z.number(),
  total: z.number().nullable(),
  bytesPerSecond: z.number(),
});

function progressPath(directory: string): string {
  return join(directory, "progress.json");
}

/** `null` when nothing is published, or it is just being written. */
export async function readPublishedProgress(directory: string): Promise<ModelProgress | null> {
  try {
    return { ...schema.parse(JSON.parse(await readFile(progressPath(directory), "utf8"))), phase: "waiting" };
  } catch {
    return null;
  }
}

/** The writing side. */
export class SharedProgress {
  readonly #path: string;
  #writing: Promise<void> | null = null;

  constructor(directory: string) {
    this.#path = progressPath(directory);
  }

  /** Leaves out a report that comes while an earlier one is being written. */
  publish(progress: ModelProgress): void {
    if (this.#writing !== null) return;
    this.#writing = writeFile(this.#path, JSON.stringify(progress))
      // For display only: a disk that cannot be written shows itself where it matters.
      .catch(() => {})
      .finally(() => {
        this.#writing = null;
      });
  }

  async withdraw(): Promise<void> {
    await this.#writing;
    await rm(this.#path, { force: true });
  }
}
