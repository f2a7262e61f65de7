import type { Pinning } from "../host/pinning.js";
import type { Arrangement } from "./arrangements.js";
import { PlannedNodes } from "./planned-nodes.js";

/** The nodes of an arrangement, replaced by new ones after a failure: nobody knows what became of the old ones. */
export class FreshNodes {
  readonly #model: string;
  readonly #arrangement: Arrangement;
  readonly #pinning: Pinning;
  #nodes: PlannedNodes | null = null;

  constructor(model: string, arrangement: Arrangement, pinning: Pinning) {
    this.#model = model;
    this.#arrangement = arrangement;
    this.#pinning = pinning;
  }

  /** Does something with the nodes; a failure is the caller's, and the next call has new nodes. */
  async use<Result>(work: (nodes: PlannedNodes) => Promise<Result>): Promise<Result> {
    this.#nodes ??= await PlannedNodes.start(this.#model, this.#arrangement, this.#pinning);
    try {
      return await work(this.#nodes);
    } catch (thrown) {
      await this.close();
      throw thrown;
    }
  }

  async close(): Promise<void> {
    const nodes = this.#nodes;
    this.#nodes = null;
    await nodes?.close();
  }
}
