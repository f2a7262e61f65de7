/** Stands for a line break in what was pasted, until it is sent. */
const BREAK_MARK = "↵";

/** What terminals put around a paste when they are asked to (xterm, "Bracketed Paste Mode"). */
export const ASK_FOR_BRACKETS = "\u001b[?2004h";
export const NO_BRACKETS = "\u001b[?2004l";
const BEGIN = "\u001b[200~";
const END = "\u001b[201~";

const CTRL_C = "\u0003";

/**
 * Keeps pasted line breaks from sending what is above them: inside the brackets that a terminal puts around a paste they
 * become visible marks, which `withBreaks` turns back when the line is sent. Other control characters of a paste are
 * dropped: pasted text presses no keys. Brackets and text may come cut into chunks anywhere.
 */
export class PastedLines {
  /** How much of the next bracket was seen. */
  #matched = 0;
  #inside = false;
  /** What was pasted so far. It is given on as a whole, so that a tab in it is a tab and asks for no completion. */
  #pasted = "";
  #afterReturn = false;

  /** What readline shall get of this chunk. */
  filter(chunk: string): string {
    if (this.#inside && chunk === CTRL_C) {
      // No terminal sends this in a paste; whoever presses it wants out.
      this.#leave();
      return chunk;
    }
    let given = "";
    for (const character of chunk) given += this.#inside ? this.#insidePaste(character) : this.#outside(character);
    return given;
  }

  #outside(character: string): string {
    this.#match(BEGIN, character);
    if (this.#matched === BEGIN.length) {
      this.#matched = 0;
      this.#inside = true;
    }
    return character;
  }

  #insidePaste(character: string): string {
    this.#match(END, character);
    if (this.#matched === END.length) {
      // All but the last character of the bracket were taken for text.
      const pasted = this.#pasted.slice(0, this.#pasted.length - (END.length - 2));
      this.#leave();
      return pasted + END;
    }
    this.#take(character);
    return "";
  }

  #take(character: string): void {
    const isBreak = character === "\r" || character === "\n";
    const isSecondHalf = character === "\n" && this.#afterReturn;
    this.#afterReturn = character === "\r";
    if (isBreak) this.#pasted += isSecondHalf ? "" : BREAK_MARK;
    else if (character === "\t" || !/\p{Cc}/u.test(character)) this.#pasted += character;
  }

  #match(bracket: string, character: string): void {
    if (bracket[this.#matched] === character) this.#matched += 1;
    else this.#matched = character === bracket[0] ? 1 : 0;
  }

  #leave(): void {
    this.#inside = false;
    this.#matched = 0;
    this.#pasted = "";
    this.#afterReturn = false;
  }
}

/** A line as it was meant: with the line breaks of what was pasted. */
export function withBreaks(line: string): string {
  return line.replaceAll(BREAK_MARK, "\n");
}

/** The same on one line, for the editing of it. */
export function onOneLine(text: string): string {
  return text.replaceAll("\n", BREAK_MARK);
}
