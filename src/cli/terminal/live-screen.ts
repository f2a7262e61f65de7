import type { CliOutput } from "./cli-io.js";
import { widthOf } from "./cli-io.js";
import { clipped } from "./columns.js";

/** Escape sequences that terminals have in common (xterm, "ctlseqs"). */
const OTHER_SCREEN = "\u001b[?1049h";
const FIRST_SCREEN = "\u001b[?1049l";
const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
/** What lies between the two appears at once; terminals that do not know them pass over them. */
const BEGIN_FRAME = "\u001b[?2026h";
const END_FRAME = "\u001b[?2026l";
const TO_TOP = "\u001b[H";
const CLEAR_REST_OF_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/** A terminal that does not know its size says 0. */
const USUAL_ROWS = 24;

/**
 * A terminal's other screen, drawn anew as a whole: over what is there, so that nothing flickers, and never beyond its
 * last row, so that nothing scrolls. Closed, the terminal is as it was.
 */
export class LiveScreen {
  readonly #output: CliOutput;
  #open = false;

  constructor(output: CliOutput) {
    this.#output = output;
  }

  open(): void {
    if (this.#open) return;
    this.#open = true;
    this.#output.write(OTHER_SCREEN + HIDE_CURSOR + TO_TOP + CLEAR_BELOW);
  }

  draw(lines: readonly string[]): void {
    if (!this.#open) return;
    const columns = widthOf(this.#output) - 1;
    const shown = fitting(lines, this.#output.rows || USUAL_ROWS);
    const text = shown.map((line) => clipped(line, columns) + CLEAR_REST_OF_LINE).join("\n");
    this.#output.write(BEGIN_FRAME + TO_TOP + text + CLEAR_BELOW + END_FRAME);
  }

  /** Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#output.write(SHOW_CURSOR + FIRST_SCREEN);
  }
}

function fitting(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines;
  const kept = Math.max(0, rows - 1);
  return [...lines.slice(0, kept), `… ${lines.length - kept} more lines; a larger window shows them`];
}
