import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { modelSpeedSchema } from "../../transport/probe-messages.js";
import type { ProbeSettings } from "./probe-stages.js";

/** Everything that a measured speed depends on; another value of any of these is another measurement. */
export interface SpeedKey extends ProbeSettings {
  /** `ProbeModel.hash` */
  readonly model: string;
  /** Name of the processor. */
  readonly processor: string;
  readonly llamaCommit: string;
}

const factor = z.number().positive().max(100);
const looks = z.int().min(-100).max(100);

const entrySchema = z.object({
  /** ISO time. */
  measuredAt: z.string(),
  speed: modelSpeedSchema,
  /** Measurements in a row that other programs disturbed; 0: the last one was not. */
  disturbed: z.int().nonnegative(),
  correction: z.object({
    few: factor,
    many: factor,
    output: factor,
    perPass: z.number().nonnegative().max(1),
    agreed: z.object({ few: looks, many: looks }),
  }),
});

export type SpeedEntry = z.infer<typeof entrySchema>;

/** A model on one setting each; more than anybody uses. The oldest make way. */
const MOST_ENTRIES = 256;

/** What was measured, kept in files from one start of the node to the next. */
export class SpeedCache {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** `null` when there is none, or none that can be read. */
  async read(id: string): Promise<SpeedEntry | null> {
    try {
      return entrySchema.parse(JSON.parse(await readFile(this.#fileOf(id), "utf8")));
    } catch {
      // Measured anew, which also mends the file.
      return null;
    }
  }

  async write(id: string, entry: SpeedEntry): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const next = `${this.#fileOf(id)}.${randomUUID()}`;
    await writeFile(next, JSON.stringify(entry));
    await rename(next, this.#fileOf(id));
    await this.#removeOldest();
  }

  #fileOf(id: string): string {
    return join(this.#directory, `${id}.json`);
  }

  async #removeOldest(): Promise<void> {
    const names = await readdir(this.#directory);
    if (names.length <= MOST_ENTRIES) return;
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#directory, name);
        return { path, writtenAt: (await stat(path).catch(() => null))?.mtimeMs ?? 0 };
      }),
    );
    const oldest = files.sort((a, b) => a.writtenAt - b.writtenAt).slice(0, names.length - MOST_ENTRIES);
    await Promise.all(oldest.map(({ path }) => rm(path, { force: true })));
  }
}

/** The same for equal keys only. */
export function idOf(key: SpeedKey): string {
  const { model, processor, llamaCommit, threads, batchThreads, devices, microBatchSize } = key;
  const { kvTypeK, kvTypeV, flashAttention } = key;
  const fields = [
    [model, processor, llamaCommit],
    [threads, batchThreads, microBatchSize],
    devices,
    [kvTypeK, kvTypeV, flashAttention],
  ];
  return createHash("sha256").update(JSON.stringify(fields)).digest("hex").slice(0, 32);
}
