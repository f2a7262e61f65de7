import { describeThrown } from "./describe-thrown.js";
import type { NodeMessage } from "./node-message.js";
import type { Supervision } from "./supervision.js";

/** Milliseconds between two words on how much memory the process takes. */
const MEMORY_INTERVAL = 2000;

/** A node whose supervisor was killed has so many milliseconds to stop in order. */
const ORPHAN_GRACE = 10_000;

/** The node's side of the channel to its supervisor. */
export class SupervisedProcess {
  readonly facts: Supervision;
  readonly #process: NodeJS.Process;

  constructor(process: NodeJS.Process, facts: Supervision) {
    this.#process = process;
    this.facts = facts;
  }

  /** Tells of what a crash report needs, and sees to it that no node outlives its supervisor. */
  begin(): void {
    const process = this.#process;
    process.on("uncaughtExceptionMonitor", (error) => this.tell({ type: "thrown", thrown: describeThrown(error) }));
    process.on("disconnect", () => setTimeout(() => process.exit(1), ORPHAN_GRACE).unref());
    const tellMemory = (): void => void this.tell({ type: "memory", bytes: process.memoryUsage.rss() });
    setInterval(tellMemory, MEMORY_INTERVAL).unref();
  }

  /** Resolves when it is on its way. A supervisor that is gone hears nothing, which is no failure here. */
  tell(message: NodeMessage): Promise<void> {
    const process = this.#process;
    if (process.send === undefined || !process.connected) return Promise.resolve();
    return new Promise((resolve) => {
      process.send?.(message, undefined, undefined, () => resolve());
    });
  }
}
