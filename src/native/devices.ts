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
