import { readFile, realpath } from "node:fs/promises";

/** A mapping's first line in /proc/<pid>/smaps: addresses, rights, offset, device, inode, path. */
const MAPPING = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)$/;

/**
 * Bytes of a file that a process has in memory through mappings; `null` where the system does not say, or where it knows of
 * none: weights that were read, not mapped, are not counted here.
 */
export async function residentPagesOf(path: string, pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/smaps`, "utf8").catch(() => null);
  if (text === null) return null;
  // The system names mappings by where a file really is.
  return parseResidentPages(text, await realpath(path)) || null;
}

export function parseResidentPages(smaps: string, path: string): number {
  let mapped = "";
  let kilobytes = 0;
  for (const line of smaps.split("\n")) {
    mapped = MAPPING.exec(line)?.[1] ?? mapped;
    const resident = /^Rss:\s+(\d+) kB$/.exec(line);
    if (resident !== null && mapped === path) kilobytes += Number(resident[1]);
  }
  return kilobytes * 1024;
}
