import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { list, type ReadEntry } from "tar";
import { ExoError } from "../core/errors.js";
import { diskError } from "./disk-error.js";

/** One file of an npm archive. */
export interface ArchivedFile {
  readonly archive: string;
  /** Path inside the package. */
  readonly file: string;
  /** For errors, e.g. `pkg@1.2.3`. */
  readonly label: string;
}

/** Writes the files one after the other into `destination`, streaming; it appears only when it is whole. */
export async function joinArchivedFiles(
  parts: readonly ArchivedFile[],
  destination: string,
  signal: AbortSignal,
): Promise<void> {
  const joining = `${destination}.joining`;
  const output = await open(joining, "w").catch((thrown: unknown) => {
    throw diskError(thrown, destination) ?? thrown;
  });
  try {
    for (const part of parts) await append(part, output, destination, signal);
    await output.sync();
    await rename(joining, destination);
  } catch (thrown) {
    await rm(joining, { force: true });
    throw thrown;
  } finally {
    await output.close();
  }
}

async function append(part: ArchivedFile, output: FileHandle, destination: string, signal: AbortSignal): Promise<void> {
  const copies: Promise<void>[] = [];
  const listing = list({
    file: part.archive,
    strict: true,
    // npm archives hold everything below one directory, mostly but not always called "package".
    filter: (path) => path.split("/").slice(1).join("/") === part.file,
    onReadEntry: (entry) => {
      const copy = copyEntry(entry, output, destination, signal);
      // Awaited below; until then a failure must not count as unhandled, nor stop the archive's reader.
      copy.catch(() => entry.resume());
      copies.push(copy);
    },
  });
  await listing.catch((cause: unknown) => {
    throw new ExoError("download_failed", `The archive of ${part.label} is damaged: ${String(cause)}.`, { cause });
  });
  if (copies.length === 0) {
    throw new ExoError("download_failed", `There is no file "${part.file}" in the npm package ${part.label}.`);
  }
  await Promise.all(copies);
}

async function copyEntry(entry: ReadEntry, output: FileHandle, path: string, signal: AbortSignal): Promise<void> {
  for await (const chunk of entry) {
    if (signal.aborted) throw new ExoError("cancelled", `Unpacking ${path} was cancelled.`);
    try {
      await output.writeFile(chunk);
    } catch (thrown) {
      throw diskError(thrown, path) ?? thrown;
    }
  }
}
