import type { Distribution } from "./distribution.js";

/** What the rest of the code may ask of the world; the composition root (`node.ts`) supplies the real ones. */

/** Structured log sink, the shape of a pino logger: fields first, then the sentence. Never log prompt or answer text. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(bindings: Record<string, unknown>): Logger;
}

export interface Clock {
  /** Milliseconds since some fixed point; only differences mean anything. */
  monotonic(): number;
  /** Milliseconds since the Unix epoch. */
  wall(): number;
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
};

const ignore = (): void => {};

export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
};

export interface MetricInfo {
  /** `exo_native_…`, with its unit, and `_total` if it only grows. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** One value of a metric. `labels` in the order of `MetricInfo.labels`. */
export interface Reading {
  readonly labels: readonly string[];
  readonly value: number;
}

export interface DistributionReading {
  readonly labels: readonly string[];
  readonly distribution: Distribution;
}

/**
 * What can be measured. Nothing is handed over while work is done: whoever works keeps plain numbers, and these are read
 * when somebody asks for the metrics.
 */
export interface Metrics {
  /** Of numbers that only grow, as long as what they count is there. */
  counter(info: MetricInfo, read: () => Iterable<Reading>): void;
  gauge(info: MetricInfo, read: () => Iterable<Reading>): void;
  histogram(info: MetricInfo, read: () => Iterable<DistributionReading>): void;
}
