import type { DoctorSystem } from "./system.js";

/** Who listens on a TCP port of this machine, e.g. `nginx (process 812)`; `null` when that cannot be told. */
export function portHolder(system: DoctorSystem, port: number): Promise<string | null> {
  switch (system.platform) {
    case "linux":
      return holderFromProc(system, port);
    case "win32":
      return holderFromNetstat(system, port);
    default:
      return holderFromLsof(system, port);
  }
}

/** State `LISTEN` in /proc/net/tcp (include/net/tcp_states.h). */
const LISTENING = "0A";

async function holderFromProc(system: DoctorSystem, port: number): Promise<string | null> {
  const tables = await Promise.all(["tcp", "tcp6"].map((name) => system.readText(`/proc/net/${name}`)));
  const inodes = tables.flatMap((table) => listeningInodes(table ?? "", port));
  if (inodes.length === 0) return null;
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
  for (const process of await system.list("/proc")) {
    if (/^\d+$/.test(process) && (await holdsOne(system, process, wanted))) {
      const name = (await system.readText(`/proc/${process}/comm`))?.trim();
      return `${name || "a program"} (process ${process})`;
    }
  }
  return "a program of another user";
}

/** Lines of /proc/net/tcp: `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`. */
function listeningInodes(table: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [local = "", state, inode] = [fields[1], fields[3], fields[9]];
    return local.endsWith(`:${hex}`) && state === LISTENING && inode !== undefined ? [inode] : [];
  });
}

async function holdsOne(system: DoctorSystem, process: string, wanted: ReadonlySet<string>): Promise<boolean> {
  for (const descriptor of await system.list(`/proc/${process}/fd`)) {
    const target = await system.readLink(`/proc/${process}/fd/${descriptor}`);
    if (target !== null && wanted.has(target)) return true;
  }
  return false;
}

/** `-F` prints one field per line, its letter first. */
async function holderFromLsof(system: DoctorSystem, port: number): Promise<string | null> {
  const result = await system.run("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"]);
  const lines = result?.stdout.split("\n") ?? [];
  const process = lines.find((line) => line.startsWith("p"))?.slice(1);
  const name = lines.find((line) => line.startsWith("c"))?.slice(1);
  return process === undefined ? null : `${name ?? "a program"} (process ${process})`;
}

async function holderFromNetstat(system: DoctorSystem, port: number): Promise<string | null> {
  const result = await system.run("netstat", ["-ano", "-p", "TCP"]);
  for (const line of result?.stdout.split("\n") ?? []) {
    const [protocol, local = "", remote = "", , process] = line.trim().split(/\s+/);
    // The word for the state is in the language of the system, but nobody is at the other end of a listening socket.
    if (protocol !== "TCP" || !local.endsWith(`:${port}`) || !remote.endsWith(":0")) continue;
    return `the program with process id ${process ?? "unknown"}`;
  }
  return null;
}
