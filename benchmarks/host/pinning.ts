import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Which processors the nodes of a measurement stay on. */
export interface Pinning {
  /** `taskset` is there. */
  readonly possible: boolean;
  /** All that this process may use. */
  readonly processors: readonly number[];
  /** One processor of each physical core that this process may use. */
  readonly cores: readonly number[];
}

export function findPinning(): Pinning {
  if (process.platform !== "linux") {
    const processors = count(availableParallelism());
    return { possible: false, processors, cores: processors };
  }
  const processors = allowedProcessors();
  return { possible: hasTaskset(), processors, cores: oneOfEachCore(processors, siblingsOf) };
}

/** Node `index` has a core of its own; where there are too few, nodes are dealt to them in turn. */
export function coreOf(index: number, { cores }: Pinning): readonly number[] {
  return [cores[index % cores.length] ?? 0];
}

/** Words before a command that keep it on these processors. */
export function pinned({ possible }: Pinning, processors: readonly number[]): readonly string[] {
  return possible ? ["taskset", "--cpu-list", processors.join(",")] : [];
}

/** Cores that are left when so many nodes or servers have theirs. */
export function spareCores(used: number, { cores }: Pinning): readonly number[] {
  return cores.slice(used);
}

/** Keeps this process, with its HTTP clients and its proxies, off the cores of what it measures, where any are left. */
export function stayBeside(used: number, pinning: Pinning): void {
  if (!pinning.possible) return;
  const spare = spareCores(used, pinning);
  const list = (spare.length > 0 ? spare : pinning.processors).join(",");
  execFileSync("taskset", ["--all-tasks", "--pid", "--cpu-list", list, String(process.pid)], { stdio: "ignore" });
}

/** For the row of a report: that whoever asks shares the cores of what answers. */
export function clientRemark(used: number, pinning: Pinning): Readonly<Record<string, string>> {
  return pinning.possible && spareCores(used, pinning).length === 0 ? { client: "on the same cores" } : {};
}

/** Two threads of one core are no faster than one: of each group of siblings the first is kept. */
export function oneOfEachCore(
  processors: readonly number[],
  siblings: (processor: number) => readonly number[],
): readonly number[] {
  const taken = new Set<number>();
  return processors.filter((processor) => {
    const first = !taken.has(processor);
    for (const sibling of siblings(processor)) taken.add(sibling);
    return first;
  });
}

/** Linux's lists of processors: `0-3,8,10-11`. */
export function parseProcessorList(text: string): readonly number[] {
  return text
    .trim()
    .split(",")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [first = 0, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

function allowedProcessors(): readonly number[] {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return allowed === undefined ? count(availableParallelism()) : parseProcessorList(allowed);
}

function siblingsOf(processor: number): readonly number[] {
  try {
    const path = `/sys/devices/system/cpu/cpu${processor}/topology/thread_siblings_list`;
    return parseProcessorList(readFileSync(path, "utf8"));
  } catch {
    return [];
  }
}

function hasTaskset(): boolean {
  try {
    execFileSync("taskset", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function count(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index);
}
