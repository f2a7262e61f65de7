import type { Clock, Logger } from "../../core/ports.js";
import type { Refusal } from "../../transport/trust-view.js";
import type { Stranger } from "../membership/member.js";
import { Strangers } from "../membership/strangers.js";

/** Who was not let in at the door, and why. Each is logged once, however often it tries. */
export class Refusals {
  readonly #strangers = new Strangers();
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** @param name of the node, if it is known */
  add({ host, nodeId, reason }: Refusal, name: string | null): void {
    // It called from some port, which says nothing of where it listens.
    const isNews = this.#strangers.met(
      nodeId ?? host,
      name ?? host,
      { host, port: 0 },
      reason,
      this.#clock.monotonic(),
    );
    if (isNews)
      this.#logger.warn({ from: host, id: nodeId }, `refused ${name ?? `a connection from ${host}`}: ${reason}`);
  }

  list(): readonly Stranger[] {
    return this.#strangers.list(this.#clock.monotonic());
  }
}
