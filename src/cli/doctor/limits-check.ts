import { formatByteSize } from "../../config/byte-size.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, ok, warning } from "./finding.js";
import type { DoctorSystem } from "./system.js";

/** Connections of clients and peers, files of models, and what Node itself needs. */
const LEAST_FILES = 1024;

/** A smaller limit holds the weights of no model; how much one needs is only known with the model. */
const LEAST_LOCKED = 2 ** 30;

/** Infinity: no limit. `null`: it cannot be read here. */
interface Limits {
  readonly openFiles: number | null;
  readonly lockedBytes: number | null;
  /** The process may lock memory whatever the limit says. */
  readonly mayLockAll: boolean;
}

/** The system's limits for a process. */
export const limitsCheck: Check = {
  subject: "the limits of a process",
  run: async ({ system, config }: DoctorContext) => {
    const limits = await readLimits(system);
    return [...openFiles(limits), ...(config.mlock ? lockedMemory(limits) : [])];
  },
};

function openFiles({ openFiles: most }: Limits): readonly Finding[] {
  if (most === null) return [];
  if (most >= LEAST_FILES)
    return [ok("limits.files", `Open files: ${most === Number.POSITIVE_INFINITY ? "any number" : most}`)];
  return [
    warning(
      "limits.files",
      `A process may open only ${most} files`,
      "Each client and each peer takes one; beyond the limit a node cannot answer.",
      "ulimit -n 65536 before the start, or LimitNOFILE=65536 in a systemd unit",
    ),
  ];
}

function lockedMemory({ lockedBytes, mayLockAll }: Limits): readonly Finding[] {
  if (lockedBytes === null) return [];
  if (mayLockAll || lockedBytes >= LEAST_LOCKED) {
    const much = mayLockAll || lockedBytes === Number.POSITIVE_INFINITY ? "all memory" : formatByteSize(lockedBytes);
    return [ok("limits.memlock", `--mlock: ${much} may be locked`)];
  }
  return [
    warning(
      "limits.memlock",
      `--mlock has little effect: ${formatByteSize(lockedBytes)} may be locked`,
      "A node goes on without the lock, and the system may swap the weights out.",
      "ulimit -l unlimited before the start, LimitMEMLOCK=infinity in a systemd unit, or --ulimit memlock=-1 for a container",
    ),
  ];
}

function readLimits(system: DoctorSystem): Promise<Limits> {
  if (system.platform === "linux") return limitsFromProc(system);
  return system.platform === "win32"
    ? Promise.resolve({ openFiles: null, lockedBytes: null, mayLockAll: true })
    : limitsFromShell(system);
}

/** CAP_IPC_LOCK (linux/capability.h). */
const MAY_LOCK = 1n << 14n;

/** Lines such as `Max open files            1024                 524288               files`. */
async function limitsFromProc(system: DoctorSystem): Promise<Limits> {
  const limits = (await system.readText("/proc/self/limits")) ?? "";
  const status = (await system.readText("/proc/self/status")) ?? "";
  const soft = (name: string): number | null => numberOf(new RegExp(`^${name}\\s+(\\S+)`, "m").exec(limits)?.[1]);
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return {
    openFiles: soft("Max open files"),
    lockedBytes: soft("Max locked memory"),
    mayLockAll: capabilities !== undefined && (BigInt(`0x${capabilities}`) & MAY_LOCK) !== 0n,
  };
}

/** The shell counts locked memory in KiB. */
async function limitsFromShell(system: DoctorSystem): Promise<Limits> {
  const result = await system.run("sh", ["-c", "ulimit -n; ulimit -l"]);
  const [files, locked] = result?.stdout.trim().split("\n") ?? [];
  const kibibytes = numberOf(locked);
  return { openFiles: numberOf(files), lockedBytes: kibibytes === null ? null : kibibytes * 1024, mayLockAll: false };
}

function numberOf(text: string | undefined): number | null {
  if (text === "unlimited") return Number.POSITIVE_INFINITY;
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}
