import { ExoError } from "./errors.js";

/** Something with a start and a stop. `stop` may be called twice, and on a service that never started. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Of what needs no start, but has to be stopped in its turn. */
export function stoppingService(name: string, stop: () => Promise<void>): Service {
  return { name, start: async () => {}, stop };
}

/**
 * Starts services in order and stops them in reverse. A failed start stops what had started before it and rethrows;
 * a failing stop does not keep the others from stopping.
 */
export class ServiceGroup implements Service {
  readonly name: string;
  readonly #services: readonly Service[];
  #started: Service[] = [];

  constructor(name: string, services: readonly Service[]) {
    this.name = name;
    this.#services = services;
  }

  async start(): Promise<void> {
    for (const service of this.#services) {
      try {
        await service.start();
      } catch (thrown) {
        await this.stop().catch(() => {});
        throw thrown;
      }
      this.#started.push(service);
    }
  }

  async stop(): Promise<void> {
    const failures: unknown[] = [];
    const running = this.#started.reverse();
    this.#started = [];
    for (const service of running) {
      await service.stop().catch((thrown: unknown) => failures.push(thrown));
    }
    if (failures.length > 0) {
      throw new ExoError("internal", `${this.name} did not stop cleanly`, { cause: new AggregateError(failures) });
    }
  }
}

/** Work that goes on from `start` until `stop`, which asks it to end and waits until it has. */
export class BackgroundWork {
  readonly #work: (signal: AbortSignal) => Promise<void>;
  #stopping: AbortController | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(work: (signal: AbortSignal) => Promise<void>) {
    this.#work = work;
  }

  get started(): boolean {
    return this.#stopping !== null;
  }

  start(): void {
    if (this.#stopping !== null) return;
    this.#stopping = new AbortController();
    this.#running = this.#work(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping?.abort();
    await this.#running;
    this.#stopping = null;
  }
}
