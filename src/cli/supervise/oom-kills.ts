/** Text of a file; `null`: there is none. */
export type ReadText = (path: string) => Promise<string | null>;

/**
 * How many processes the system has ended for want of memory: in the control group of this process (version 2, else 1), else
 * on the whole machine. `null`: it does not tell. Linux alone does.
 */
export async function oomKills(readText: ReadText): Promise<number | null> {
  const group = /^0::(.*)$/m.exec((await readText("/proc/self/cgroup")) ?? "")?.[1] ?? "/";
  const files = [
    `/sys/fs/cgroup${group === "/" ? "" : group}/memory.events`,
    "/sys/fs/cgroup/memory/memory.oom_control",
    "/proc/vmstat",
  ];
  for (const file of files) {
    const count = /^oom_kill (\d+)$/m.exec((await readText(file)) ?? "")?.[1];
    if (count !== undefined) return Number(count);
  }
  return null;
}
