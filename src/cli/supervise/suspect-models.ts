import type { Supervision } from "./supervision.js";

/** A model that was in use at so many crashes in a row is not loaded again. */
const MOST_CRASHES = 3;

/** Which models crash the node. */
export class SuspectModels {
  readonly #crashes = new Map<string, number>();

  /**
   * After a crash with these models held or being loaded. Returns those that are refused from now on.
   * @param afterHealth the node had run for long, so that older crashes say nothing
   */
  crashedWith(paths: readonly string[], afterHealth: boolean): readonly string[] {
    const inUse = new Set(paths);
    for (const [path, count] of this.#crashes) {
      if (count < MOST_CRASHES && (afterHealth || !inUse.has(path))) this.#crashes.delete(path);
    }
    for (const path of inUse) this.#crashes.set(path, (this.#crashes.get(path) ?? 0) + 1);
    return [...inUse].filter((path) => this.#crashes.get(path) === MOST_CRASHES);
  }

  refused(): Supervision["refused"] {
    return [...this.#crashes]
      .filter(([, crashes]) => crashes >= MOST_CRASHES)
      .map(([path, crashes]) => ({ path, crashes }));
  }
}
