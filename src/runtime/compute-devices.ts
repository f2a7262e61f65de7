import { ExoError } from "../core/errors.js";
import type { Device } from "../native/devices.js";

/**
 * The devices that layers go on, as the user names them (`cpu`, `cuda:0`, `metal`), in ggml's names. None wanted: every
 * graphics device found. Only `cpu`, or no other device: the empty list, which means CPU.
 */
export function chooseDevices(wanted: readonly string[], found: readonly Device[]): readonly string[] {
  const offloading = found.filter((device) => device.kind === "gpu" || device.kind === "igpu");
  if (wanted.length === 0) return offloading.map((device) => device.name);
  const names = wanted.map((name) => ({ name, ggmlName: name.replace(":", "").toLowerCase() }));
  const chosen = names.flatMap(({ name, ggmlName }) => {
    if (ggmlName === "cpu") return [];
    const device = offloading.find((candidate) => candidate.name.toLowerCase() === ggmlName);
    if (device !== undefined) return [device.name];
    const have = ["cpu", ...offloading.map((candidate) => candidate.name)].join(", ");
    throw new ExoError("invalid_argument", `There is no device "${name}" here; this node has ${have}.`, {
      param: "device",
    });
  });
  return [...new Set(chosen)];
}

/** The devices whose memory stages take: those that layers go on, or else the CPU. */
export function usedDevices(names: readonly string[], found: readonly Device[]): Device[] {
  const chosen = found.filter((device) => names.includes(device.name));
  return chosen.length > 0 ? chosen : found.filter((device) => device.kind === "cpu");
}
