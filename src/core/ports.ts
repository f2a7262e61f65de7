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
