import { clearScreenDown, cursorTo, moveCursor } from "node:readline";
import type { DestinationStream } from "pino";
import { type CliOutput, widthOf } from "./cli-io.js";
import { clipped, visibleLength } from "./columns.js";

/** The least time between two drawings of the changing lines, in milliseconds. */
const FRAME = 80;

/**
 * A terminal with a few changing lines at its end (progress bars), above which lasting lines, log lines among them,
 * scroll by. On what is not a terminal only the lasting lines appear.
 */
export class StatusScreen implements DestinationStream {
  readonly interactive: boolean;
  readonly #output: CliOutput;
  readonly #now: () => number;
  #lines: readonly string[] = [];
  #drawn: readonly string[] = [];
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(output: CliOutput, now: () => number) {
    this.#output = output;
    this.#now = now;
    this.interactive = output.isTTY === true;
  }

  get width(): number {
    return widthOf(this.#output);
  }

  /** Text that stays; it should end with a line break. */
  write(text: string): void {
    this.#erase();
    this.#output.write(text);
    this.#draw();
  }

  print(line = ""): void {
    this.write(`${line}\n`);
  }

  /** Replaces the changing lines, each shorter than `width`. Drawings that follow each other too fast are left out. */
  show(lines: readonly string[]): void {
    if (!this.interactive) return;
    const sameShape = lines.length === this.#lines.length;
    this.#lines = lines;
    if (sameShape && this.#now() - this.#drawnAt < FRAME) return;
    this.#erase();
    this.#draw();
  }

  /** Takes the changing lines away. */
  clear(): void {
    this.#erase();
    this.#lines = [];
  }

  #erase(): void {
    if (this.#drawn.length === 0) return;
    moveCursor(this.#output, 0, -this.#rows());
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
    this.#drawn = [];
  }

  /** The rows that the drawn lines take now: a terminal that was made narrower has wrapped them. */
  #rows(): number {
    const { columns } = this.#output;
    const rowsOf = (line: string): number => (columns ? Math.max(1, Math.ceil(visibleLength(line) / columns)) : 1);
    return this.#drawn.reduce((sum, line) => sum + rowsOf(line), 0);
  }

  #draw(): void {
    if (!this.interactive || this.#lines.length === 0) return;
    // Made for the width that there was; one that wraps would be counted wrongly.
    this.#drawn = this.#lines.map((line) => clipped(line, this.width - 1));
    this.#output.write(this.#drawn.map((line) => `${line}\n`).join(""));
    this.#drawnAt = this.#now();
  }
}
