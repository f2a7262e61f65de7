/** Aborts a connection when its caller does, or when no byte has come for a while. */
export class StallGuard {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  readonly #onOuterAbort = (): void => this.#controller.abort(this.#outer.reason);
  #stalled = false;

  constructor(outer: AbortSignal, stallMilliseconds: number) {
    this.#outer = outer;
    this.#timer = setTimeout(() => {
      this.#stalled = true;
      this.#controller.abort();
    }, stallMilliseconds);
    outer.addEventListener("abort", this.#onOuterAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get stalled(): boolean {
    return this.#stalled;
  }

  /** A byte came. */
  alive(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#onOuterAbort);
  }
}
