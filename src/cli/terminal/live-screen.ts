import type { CliOutput } from "./cli-io.js";
import { widthOf } from "./cli-io.js";
import { clipped } from "./columns.js";
import type { Key } from "./keys.js";

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
  /** Lines of the body above the first one shown. */
  #offset = 0;
  /** Rows that the body had when it was drawn last. */
  #room = 0;

  constructor(output: CliOutput) {
    this.#output = output;
  }

  open(): void {
    if (this.#open) return;
    this.#open = true;
    this.#output.write(OTHER_SCREEN + HIDE_CURSOR + TO_TOP + CLEAR_BELOW);
  }

  /** @param head stays at the top, however far the body is scrolled */
  draw(head: readonly string[], body: readonly string[]): void {
    if (!this.#open) return;
    const columns = widthOf(this.#output) - 1;
    const rows = this.#output.rows || USUAL_ROWS;
    const shown = [...head.slice(0, rows), ...this.#part(body, Math.max(0, rows - head.length))];
    const text = shown.map((line) => clipped(line, columns) + CLEAR_REST_OF_LINE).join("\n");
    this.#output.write(BEGIN_FRAME + TO_TOP + text + CLEAR_BELOW + END_FRAME);
  }

  /** Moves by a line or a page; the next drawing shows it. Other keys do nothing. */
  scroll(key: Key): void {
    const page = Math.max(1, this.#room - 1);
    const steps: Readonly<Record<Key, number>> = { up: -1, k: -1, down: 1, j: 1, pageup: -page, pagedown: page };
    const step = key === "space" ? page : (steps[key] ?? 0);
    this.#offset = Math.max(0, this.#offset + step);
  }

  /** As much of the body as there is room for; its last row says that there is more. */
  #part(body: readonly string[], room: number): readonly string[] {
    this.#room = room;
    if (body.length <= room || room === 0) {
      this.#offset = 0;
      return body.slice(0, room);
    }
    const kept = room - 1;
    this.#offset = Math.min(this.#offset, body.length - kept);
    const below = body.length - kept - this.#offset;
    const where = below > 0 ? `${below} more below` : `${this.#offset} more above`;
    return [...body.slice(this.#offset, this.#offset + kept), `… ${where}; ↑ and ↓ scroll`];
  }

  /** Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#output.write(SHOW_CURSOR + FIRST_SCREEN);
  }
}
