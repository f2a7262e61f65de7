import { readdir, readFile, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** Why processes cannot be looked at on this machine, or `false`. */
export const noProcessTable: string | false = process.platform === "linux" ? false : "this reads /proc of Linux";

/** Process ids of the children of a process. */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return text.trim() === "" ? [] : text.trim().split(" ").map(Number);
}

/** Bytes of memory that a process takes; `null`: it is gone. */
export async function residentBytes(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

/** How many files, sockets and pipes a process has open. */
export async function openFiles(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`).catch(() => [])).length;
}

/** Waits until a process is no more. */
export async function gone(pid: number): Promise<void> {
  while (await isThere(pid)) await delay(20);
}

/** One that has ended and waits for its parent to notice is no more. */
async function isThere(pid: number): Promise<boolean> {
  const found = await stat(`/proc/${pid}`).catch(() => null);
  if (found === null) return false;
  return !/^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, "utf8").catch(() => "State: Z"));
}
