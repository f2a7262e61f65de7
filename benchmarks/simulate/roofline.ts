import type { DeviceSpec } from "./devices.js";
import type { ModelSpec } from "./models.js";
import type { StageCost, Work } from "./stage-cost.js";

/** What a device really gives, from what was measured on it alone. */
export interface DeviceRates {
  /** Of weights and caches read. */
  readonly bytesPerSecond: number;
  readonly flopsPerSecond: number;
}

/** Each weight is multiplied and added once. */
const FLOPS_PER_PARAMETER = 2;
const F16_BYTES = 2;
/** Rows of the prompt chunks that devices were measured with. */
const MEASURED_CHUNK = 512;

/**
 * A pass takes the time to read the weights and caches that it meets, and the time to compute its rows. Solved so that
 * both measurements of the device come out: one row, and a chunk of 512. Between them real kernels are slower, by up to
 * 1.7 where it was looked at (RTX 3090, 8 rows: 13.7 ms measured, 8.3 ms here).
 */
export function deviceRates({ decode, prefill }: DeviceSpec): DeviceRates {
  // bytes · x + flops · y = seconds, for one row and for a chunk: two equations for x = s/byte and y = s/flop.
  const one = {
    ...decode.model,
    flops: decode.model.parameters * FLOPS_PER_PARAMETER,
    seconds: 1 / decode.tokensPerSecond,
  };
  const chunk = {
    ...prefill.model,
    flops: prefill.model.parameters * FLOPS_PER_PARAMETER * MEASURED_CHUNK,
    seconds: MEASURED_CHUNK / prefill.tokensPerSecond,
  };
  const determinant = one.bytes * chunk.flops - chunk.bytes * one.flops;
  return {
    bytesPerSecond: determinant / (one.seconds * chunk.flops - chunk.seconds * one.flops),
    flopsPerSecond: determinant / (one.bytes * chunk.seconds - chunk.bytes * one.seconds),
  };
}

/** The shares of a model's weights. Parameters, without the token embedding. */
interface Weights {
  readonly output: number;
  /** Of one layer: what every token meets, and all experts together. */
  readonly dense: number;
  readonly experts: number;
}

export function weightsOf(model: ModelSpec): Weights {
  const output = model.vocabularySize * model.embeddingSize;
  const { parameters, activeParameters, experts, layers } = model;
  if (experts === null) return { output, dense: (parameters - output) / layers, experts: 0 };
  // active = dense + all · used/count, and parameters = dense + all
  const all = (parameters - activeParameters) / (1 - experts.used / experts.count);
  return { output, dense: (parameters - all - output) / layers, experts: all / layers };
}

/** Weights of so many layers in the file, and of the output head. */
export function weightBytes(model: ModelSpec, layers: number, withOutput: boolean): number {
  const { output, dense, experts } = weightsOf(model);
  return (layers * (dense + experts) + (withOutput ? output : 0)) * bytesPerParameter(model);
}

function bytesPerParameter({ bytes, parameters }: ModelSpec): number {
  return bytes / parameters;
}

/** Part of all experts that so many rows meet together, if each chooses at random. */
export function expertsMet({ count, used }: { readonly count: number; readonly used: number }, rows: number): number {
  return 1 - (1 - used / count) ** rows;
}

/** So many layers of a model on a device. */
export function rooflineCost(device: DeviceSpec, model: ModelSpec, layers: number): StageCost {
  const { bytesPerSecond, flopsPerSecond } = deviceRates(device);
  const { output, dense, experts } = weightsOf(model);
  const bytes = bytesPerParameter(model);
  const met = (rows: number): number => (model.experts === null ? 0 : expertsMet(model.experts, rows));
  const active = dense + (model.experts === null ? 0 : (experts * model.experts.used) / model.experts.count);
  return {
    layers: ({ rows, attended, cached }: Work) => {
      if (rows === 0) return 0;
      const read = (dense + experts * met(rows)) * bytes + cached * model.cacheElements * F16_BYTES;
      // Scores and weighted sums: each attended token is multiplied with each query head, about embeddingSize numbers, twice.
      const flops = FLOPS_PER_PARAMETER * (rows * active + 2 * attended * model.embeddingSize);
      return layers * (read / bytesPerSecond + flops / flopsPerSecond);
    },
    output: (rows) => (output * bytes) / bytesPerSecond + (rows * FLOPS_PER_PARAMETER * output) / flopsPerSecond,
  };
}
