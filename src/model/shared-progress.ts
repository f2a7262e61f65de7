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

export async function publishProgress(directory: string, progress: ModelProgress): Promise<void> {
  // For display only: a disk that cannot be written shows itself where it matters.
  await writeFile(progressPath(directory), JSON.stringify(progress)).catch(() => {});
}

/** `null` when nothing is published, or it is just being written. */
export async function readPublishedProgress(directory: string): Promise<ModelProgress | null> {
  try {
    return { ...schema.parse(JSON.parse(await readFile(progressPath(directory), "utf8"))), phase: "waiting" };
  } catch {
    return null;
  }
}

export async function withdrawProgress(directory: string): Promise<void> {
  await rm(progressPath(directory), { force: true });
}
