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

/** The writing side. While one report is being written only the latest of the following is kept. */
export class SharedProgress {
  readonly #path: string;
  #latest: ModelProgress | null = null;
  #writing: Promise<void> | null = null;

  constructor(directory: string) {
    this.#path = progressPath(directory);
  }

  publish(progress: ModelProgress): void {
    this.#latest = progress;
    this.#writing ??= this.#writeAll();
  }

  async withdraw(): Promise<void> {
    this.#latest = null;
    await this.#writing;
    await rm(this.#path, { force: true });
  }

  async #writeAll(): Promise<void> {
    while (this.#latest !== null) {
      const text = JSON.stringify(this.#latest);
      this.#latest = null;
      // For display only: a disk that cannot be written shows itself where it matters.
      await writeFile(this.#path, text).catch(() => {});
    }
    this.#writing = null;
  }
}
