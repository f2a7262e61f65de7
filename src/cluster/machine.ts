import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";

/**
 * A name for what the processors of this process belong to, the same in every node that shares them: the machine, or a
 * container that has a limit of its own. It tells others nothing else.
 *
 * @param limited the processors are limited for this container
 */
export async function machineOf(limited: boolean): Promise<string> {
  // The kernel's own id, new at each boot and the same in all containers.
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => null);
  const container = limited ? await readlink("/proc/self/ns/cgroup").catch(() => "") : "";
  const text = boot === null ? namesOfThisMachine() : `${boot.trim()} ${container}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function namesOfThisMachine(): string {
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const hardware = interfaces.map(({ mac }) => mac).filter((mac) => mac !== "00:00:00:00:00:00");
  return [hostname(), ...[...new Set(hardware)].sort()].join(" ");
}
