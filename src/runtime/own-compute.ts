import type { Settings } from "../config/config.js";
import { type Device, listDevices, usableCores } from "../native/devices.js";
import { type CoreUser, coreShares } from "../planning/core-share.js";
import { chooseDevices, usedDevices } from "./compute-devices.js";
import { type ComputeSettings, computeSettings } from "./stage-settings.js";

export interface OwnComputeOptions {
  readonly id: string;
  /** `machineOf` */
  readonly machine: string;
  readonly settings: Pick<Settings, "device" | "threads" | "threadsBatch" | "mmap" | "mlock">;
  /** The other nodes that are there now. */
  readonly others: () => readonly CoreUser[];
}

/** What this node computes with. */
export class OwnCompute implements CoreUser {
  readonly id: string;
  readonly machine: string;
  readonly cores = usableCores();
  readonly #options: OwnComputeOptions;
  readonly #devices: readonly string[];

  constructor(options: OwnComputeOptions) {
    this.id = options.id;
    this.machine = options.machine;
    this.#options = options;
    this.#devices = chooseDevices(options.settings.device, listDevices());
  }

  /** As the owner set them; `null`: one per core. */
  get threads(): { decode: number | null; batch: number | null } {
    const { threads, threadsBatch } = this.#options.settings;
    return { decode: threads, batch: threadsBatch };
  }

  /** The devices whose memory stages take, as they are now. */
  devices(): readonly Device[] {
    return usedDevices(this.#devices, listDevices());
  }

  /** For a stage that is loaded now. `cores`: this node's part of its machine, as a head has it; 0: not said. */
  settings(cores = 0): ComputeSettings {
    return computeSettings(this.#options.settings, this.#devices, cores === 0 ? this.#share() : cores);
  }

  #share(): number {
    return coreShares([this, ...this.#options.others()]).get(this.id) ?? this.cores.length;
  }
}
