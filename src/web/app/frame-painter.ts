/** A hidden page has no frames. */
const HIDDEN_MILLISECONDS = 250;

/** Paints at most once per frame, however often it is asked. */
export class FramePainter {
  readonly #paint: () => void;
  #asked = false;

  constructor(paint: () => void) {
    this.#paint = paint;
  }

  ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    if (document.hidden) setTimeout(() => this.#now(), HIDDEN_MILLISECONDS);
    else requestAnimationFrame(() => this.#now());
  }

  #now(): void {
    this.#asked = false;
    this.#paint();
  }
}
