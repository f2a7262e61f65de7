import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";

/**
 * A name for what the processors of this process belong to, the same in every node that shares them: the machine, or a
 * container or service that has a limit of its own. It tells others nothing else.
 *
 * @param limitGroup the control group that limits the processors; `null`: none does
 */
export async function machineOf(limitGroup: string | null): Promise<string> {
  // The kernel's own id, new at each boot and the same in all containers.
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => null);
  const group = limitGroup === null ? "" : `${await cgroupNamespace()} ${limitGroup}`;
  const text = boot === null ? namesOfThisMachine() : `${boot.trim()} ${group}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Containers see their own group as the root of a namespace; services share one, and see where in it they are. */
async function cgroupNamespace(): Promise<string> {
  return readlink("/proc/self/ns/cgroup").catch(() => "");
}

function namesOfThisMachine(): string {
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const hardware = interfaces.map(({ mac }) => mac).filter((mac) => mac !== "00:00:00:00:00:00");
  return [hostname(), ...[...new Set(hardware)].sort()].join(" ");
}
