import type { DeviceSpec } from "./devices.js";
import type { LinkSpec } from "./link.js";
import { lockStep } from "./lock-step.js";
import {
  decodeSpeed,
  type MeasureSettings,
  type PromptSpeed,
  prefillSpeed,
  type Speed,
  streamsSpeed,
} from "./measures.js";
import type { ModelSpec } from "./models.js";
import { rooflineCost, weightBytes } from "./roofline.js";
import { balancedLayers } from "./split.js";
import type { RingSpec } from "./stage-cost.js";

export interface Scenario {
  readonly model: ModelSpec;
  /** One per node, the head first. */
  readonly devices: readonly DeviceSpec[];
  readonly link: LinkSpec;
  readonly streams: readonly number[];
  readonly settings: MeasureSettings;
}

export interface ScenarioResult {
  /** Layers of each node. */
  readonly layers: readonly number[];
  /** Weights and caches fit every node; speeds are told all the same. */
  readonly fits: boolean;
  readonly prefill: PromptSpeed;
  readonly decode: Speed;
  readonly streams: readonly (Speed & { readonly streams: number; readonly lockStep: number })[];
  /** Tokens per second of llama.cpp's RPC on the same nodes. */
  readonly lockStep: { readonly prefill: number; readonly decode: number };
}

const F32_BYTES = 4;
const F16_BYTES = 2;

export async function simulate(scenario: Scenario): Promise<ScenarioResult> {
  const { model, settings, streams } = scenario;
  const layers = balancedLayers(model, scenario.devices);
  const ring = ringOf(scenario, layers);
  const rpc = lockStep(ring, model.vocabularySize);
  const aggregates: ScenarioResult["streams"][number][] = [];
  for (const count of streams) {
    aggregates.push({
      streams: count,
      lockStep: rpc.streams(count, settings),
      ...(await streamsSpeed(ring, count, settings)),
    });
  }
  return {
    layers,
    fits: fits(scenario, layers),
    prefill: await prefillSpeed(ring, settings),
    decode: await decodeSpeed(ring, settings),
    streams: aggregates,
    lockStep: { prefill: rpc.prefill(settings), decode: rpc.decode(1, settings) },
  };
}

export function ringOf({ model, devices, link }: Scenario, layers: readonly number[]): RingSpec {
  return {
    stages: devices.map((device, index) => rooflineCost(device, model, layers[index] ?? 0)),
    links: devices.length === 1 ? [] : devices.map(() => link),
    rowBytes: model.embeddingSize * F32_BYTES,
  };
}

/** Weights, and the caches of the most streams that are asked for at the longest context. */
function fits({ model, devices, streams, settings }: Scenario, layers: readonly number[]): boolean {
  const tokens = Math.max(
    settings.promptTokens,
    Math.max(1, ...streams) * (settings.shortPrompt + settings.answerTokens),
  );
  return devices.every(({ memory }, index) => {
    const count = layers[index] ?? 0;
    const cache = count * model.cacheElements * F16_BYTES * tokens;
    // The head has the token embedding too, about as large as the output head.
    const ends = index === 0 ? 2 * weightBytes(model, 0, true) : 0;
    return weightBytes(model, count, false) + ends + cache <= memory;
  });
}
