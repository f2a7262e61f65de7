import { clearScreenDown, cursorTo, moveCursor } from "node:readline";
import type { DestinationStream } from "pino";
import { type CliOutput, widthOf } from "./cli-io.js";

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
  #drawn = 0;
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
    if (this.#drawn === 0) return;
    moveCursor(this.#output, 0, -this.#drawn);
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
    this.#drawn = 0;
  }

  #draw(): void {
    if (!this.interactive || this.#lines.length === 0) return;
    this.#output.write(this.#lines.map((line) => `${line}\n`).join(""));
    this.#drawn = this.#lines.length;
    this.#drawnAt = this.#now();
  }
}
