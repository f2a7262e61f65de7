import { loadBindings } from "./load.js";

/** A memory pool that layers can be placed on. */
export interface Device {
  /** ggml's name, e.g. `CPU`, `CUDA0`, `Metal`. */
  readonly name: string;
  readonly description: string;
  readonly kind: "cpu" | "gpu" | "igpu" | "accelerator";
  /** Bytes. */
  readonly memoryFree: number;
  readonly memoryTotal: number;
}

/**
 * One logical CPU of each physical core that this process may run on, as few as a container's limit leaves; at least
 * one. Two hardware threads of a core share the units that do the arithmetic, so a thread for each only gets in the way.
 */
export function usableCores(): readonly number[] {
  const { cpus, quota } = loadBindings().cpu_cores();
  // A thread more than the limit would be stopped in the middle of a step for which all others wait.
  return [...cpus].slice(0, quota === 0 ? cpus.length : Math.max(1, Math.floor(quota)));
}

/** The control group whose limit, rather than the machine, says how many cores there are; `null`: no such limit. */
export function coreLimitGroup(): string | null {
  const { group } = loadBindings().cpu_cores();
  return group === "" ? null : group;
}

/** The devices of this machine with their memory as it is now. */
export function listDevices(): readonly Device[] {
  return loadBindings()
    .devices_list()
    .map((device) => ({
      name: device.name,
      description: device.description,
      kind: device.kind,
      memoryFree: device.memory_free,
      memoryTotal: device.memory_total,
    }));
}

/** Bytes that can be used without swapping, of the machine or, where there is a limit, the container; `null`: not known. */
export function hostMemory(): { readonly free: number; readonly total: number } | null {
  const cpu = listDevices().find(({ kind }) => kind === "cpu");
  return cpu === undefined ? null : { free: cpu.memoryFree, total: cpu.memoryTotal };
}
