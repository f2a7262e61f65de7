import { randomUUID } from "node:crypto";
import { type FileHandle, open, readFile, rename, rm, stat } from "node:fs/promises";
import { ExoError } from "../../core/errors.js";
import { diskError } from "../../model/disk-error.js";

/** Only its owner may read and write it. */
export const PRIVATE_MODE = 0o600;

/** Writes a file whole or not at all; nobody but its owner may read it. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const fresh = `${path}.${randomUUID()}`;
  try {
    const file = await open(fresh, "wx", PRIVATE_MODE);
    await writeThrough(file, text);
    await rename(fresh, path);
  } catch (thrown) {
    await rm(fresh, { force: true }).catch(() => {});
    throw diskError(thrown, path) ?? thrown;
  }
}

/** On the disk, not only on its way there: a token that was used stays used. */
async function writeThrough(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** `null`: there is no such file. Refuses one that others on this machine may read. */
export async function readPrivate(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (found === null) return null;
  const fault = modeFault(path, found.mode);
  if (fault !== null) throw new ExoError("invalid_argument", fault);
  return readFile(path, "utf8");
}

/** What is wrong with the permissions of a file that holds secrets, as a sentence, or `null`. */
export function modeFault(path: string, mode: number): string | null {
  const bits = mode & 0o777;
  if (process.platform === "win32" || (bits & 0o077) === 0) return null;
  return `Others on this machine can read ${path} (its mode is ${bits.toString(8)}), which holds a private key: chmod 600 ${path}`;
}
