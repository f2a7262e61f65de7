import type { DoctorSystem } from "./system.js";

/** A control group that limits the memory of this process. */
export interface MemoryLimit {
  /** Its path below the mount, e.g. `/system.slice/exo-native.service`. */
  readonly group: string;
  readonly bytes: number;
}

const MOUNT = "/sys/fs/cgroup";

type Files = Pick<DoctorSystem, "platform" | "readText">;

/** The narrowest limit of the groups that the process is in (version 2), or that of version 1; `null`: none. */
export async function findMemoryLimit(system: Files): Promise<MemoryLimit | null> {
  if (system.platform !== "linux") return null;
  const total = await totalMemory(system);
  const own = /^0::(.*)$/m.exec((await system.readText("/proc/self/cgroup")) ?? "")?.[1] ?? "/";
  const limits = await Promise.all(
    pathsUp(own).map(async (group) => ({
      group: `The control group ${group}`,
      bytes: numberIn(await system.readText(`${MOUNT}${group === "/" ? "" : group}/memory.max`)),
    })),
  );
  const older = numberIn(await system.readText(`${MOUNT}/memory/memory.limit_in_bytes`));
  const all = [...limits, { group: "The control group of this process", bytes: older }];
  const real = all.filter(({ bytes }) => bytes < total).sort((a, b) => a.bytes - b.bytes);
  return real[0] ?? null;
}

/** `/a/b` → `/a/b`, `/a`, `/`. */
function pathsUp(path: string): string[] {
  if (path === "" || path === "/") return ["/"];
  return [path, ...pathsUp(path.slice(0, path.lastIndexOf("/")))];
}

/** "max" and what is not there are no limit. */
function numberIn(text: string | null): number {
  return text !== null && /^\d+\s*$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}

async function totalMemory(system: Files): Promise<number> {
  const kibibytes = /^MemTotal:\s+(\d+) kB/m.exec((await system.readText("/proc/meminfo")) ?? "")?.[1];
  return kibibytes === undefined ? Number.POSITIVE_INFINITY : Number(kibibytes) * 1024;
}
