import { readdir } from "node:fs/promises";
import { homedir } from "node:os";

/** Names of files that begin like this, with the directory as it was typed; directories end in a slash. */
export async function completePath(typed: string): Promise<readonly string[]> {
  const directory = typed.slice(0, typed.lastIndexOf("/") + 1);
  const where = directory.startsWith("~/") ? homedir() + directory.slice(1) : directory || ".";
  try {
    const entries = await readdir(where, { withFileTypes: true });
    const isHidden = typed.slice(directory.length).startsWith(".");
    return entries
      .filter(({ name }) => isHidden || !name.startsWith("."))
      .map((entry) => `${directory}${entry.name}${entry.isDirectory() ? "/" : ""}`)
      .sort();
  } catch {
    return [];
  }
}
