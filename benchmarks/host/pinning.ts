import { execFileSync } from "node:child_process";

/** Which processors the nodes of a measurement stay on. */
export interface Pinning {
  /** `taskset` is there. */
  readonly possible: boolean;
  readonly cores: number;
}

export function findPinning(cores: number): Pinning {
  return { possible: process.platform === "linux" && hasTaskset(), cores };
}

function hasTaskset(): boolean {
  try {
    execFileSync("taskset", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** The processors of node `index` of `nodes`: one of its own; where there are too few, they are dealt in turn. */
export function coresOf(index: number, cores: number): readonly number[] {
  return [index % cores];
}

export function allCores(cores: number): readonly number[] {
  return Array.from({ length: cores }, (_, core) => core);
}

/** Words before a command that keep it on these processors. */
export function pinned(pinning: Pinning, cores: readonly number[]): readonly string[] {
  return pinning.possible ? ["taskset", "--cpu-list", cores.join(",")] : [];
}
