import { formatByteSize } from "../../config/byte-size.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, ok, warning } from "./finding.js";
import { findMemoryLimit, type MemoryLimit } from "./memory-limit.js";
import type { NativeReport } from "./native-facts.js";

/** Less than this leaves no room for a few layers of even a small model with their cache. */
const LEAST_BYTES = 2 ** 30;

type Device = NativeReport["devices"][number];

/** How much memory layers could take on this machine. */
export const memoryCheck: Check = {
  subject: "the memory",
  run: async (context) => {
    const facts = await context.system.native();
    // What does not compute offers no memory; the addon has a finding of its own.
    if (!facts.works) return [];
    const limit = await findMemoryLimit(context.system);
    const offered = facts.devices.filter(({ kind }) => kind !== "accelerator");
    return [amount(offered, limit), ...cap(offered, context)];
  },
};

function amount(devices: readonly Device[], limit: MemoryLimit | null): Finding {
  const list = devices.map(describe).join("; ");
  const limited = limit === null ? "" : ` ${limit.group} may use at most ${formatByteSize(limit.bytes)}.`;
  const most = Math.max(0, ...devices.map(({ memoryFree }) => memoryFree));
  if (most >= LEAST_BYTES) return ok("memory", `Memory: ${list}`, limited.trim());
  return warning(
    "memory",
    `Little memory is free: ${list}`,
    `A node here can hold a few layers of a small model at most.${limited}`,
    limit === null
      ? "End programs that take much memory, or let other nodes hold the model."
      : "Raise the limit: --memory for a container, MemoryMax= in a systemd unit, resources.limits.memory in Kubernetes.",
  );
}

function describe({ name, kind, memoryFree, memoryTotal }: Device): string {
  const what = kind === "cpu" ? "RAM" : name;
  return `${what} ${formatByteSize(memoryFree)} of ${formatByteSize(memoryTotal)} free`;
}

function cap(devices: readonly Device[], { config }: DoctorContext): readonly Finding[] {
  if (config.memory === null) return [];
  const free = devices.reduce((sum, { memoryFree }) => sum + memoryFree, 0);
  const offered = formatByteSize(config.memory);
  if (config.memory <= free) return [ok("memory.cap", `--memory offers ${offered} of what is free`)];
  return [
    warning(
      "memory.cap",
      `--memory says ${offered}, and ${formatByteSize(free)} are free`,
      "It is an upper limit: no more is planned than what is free, so here it has no effect.",
      "Give less, or leave it out.",
    ),
  ];
}
