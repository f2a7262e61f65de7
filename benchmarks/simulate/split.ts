import type { DeviceSpec } from "./devices.js";
import type { ModelSpec } from "./models.js";
import { rooflineCost, weightBytes } from "./roofline.js";

/** Rows of a pass for which stages shall take the same time: one, the case in which a split most easily loses. */
const ONE_ROW = { rows: 1, attended: 1, cached: 1 };

/**
 * Layers for each node so that the slowest stage is as fast as can be; the head's output head counts as layers do. Layers
 * are dealt out one by one, each to the node that would have it done first and has room for it (if any has); every node gets
 * at least one.
 */
export function balancedLayers(model: ModelSpec, devices: readonly DeviceSpec[]): readonly number[] {
  if (devices.length > model.layers) {
    throw new RangeError(`${model.label} has ${model.layers} layers, which is too few for ${devices.length} nodes.`);
  }
  const perLayer = devices.map((device) => rooflineCost(device, model, 1).layers(ONE_ROW));
  const taken = devices.map((device, index) => (index === 0 ? rooflineCost(device, model, 0).output(1) : 0));
  const layers = devices.map(() => 1);
  for (let left = model.layers - devices.length; left > 0; left -= 1) {
    const ends = devices.map((_, index) => (taken[index] ?? 0) + ((layers[index] ?? 0) + 1) * (perLayer[index] ?? 0));
    const room = ends.map((end, index) =>
      hasRoom(model, devices[index], (layers[index] ?? 0) + 1, index === 0) ? end : Infinity,
    );
    const candidates = room.some(Number.isFinite) ? room : ends;
    const first = candidates.indexOf(Math.min(...candidates));
    layers[first] = (layers[first] ?? 0) + 1;
  }
  return layers;
}

/** Weights alone; the head has the token embedding beside the output head, about as large. */
export function hasRoom(model: ModelSpec, device: DeviceSpec | undefined, layers: number, isHead: boolean): boolean {
  const ends = isHead ? 2 * weightBytes(model, 0, true) : 0;
  return device !== undefined && weightBytes(model, layers, false) + ends <= device.memory;
}
