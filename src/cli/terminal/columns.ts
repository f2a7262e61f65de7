import { stripVTControlCharacters } from "node:util";

/** How a column is filled up. */
export type Alignment = "left" | "right";

/** Lines in which each column is as wide as its widest cell; cells may hold colours. */
export function inColumns(rows: readonly (readonly string[])[], alignments: readonly Alignment[] = []): string[] {
  const widths = widest(rows);
  return rows.map((row) =>
    row
      .map((cell, column) => padded(cell, widths[column] ?? 0, alignments[column] ?? "left"))
      .join("  ")
      .trimEnd(),
  );
}

/** The columns that a text takes, without its colours. */
export function visibleLength(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/** Cut to so many columns, with an ellipsis where something is missing. For text without colours. */
export function shortened(text: string, columns: number): string {
  const characters = [...text];
  return characters.length <= columns ? text : `${characters.slice(0, Math.max(0, columns - 1)).join("")}…`;
}

/** An escape sequence of colours, or one character. */
const PIECES = /\p{Cc}\[[0-9;]*m|./gsu;

const PLAIN_AGAIN = "\u001b[0m";

/** The same for a line that may hold colours. */
export function clipped(line: string, columns: number): string {
  if (visibleLength(line) <= columns) return line;
  let left = Math.max(0, columns - 1);
  const kept = (line.match(PIECES) ?? []).filter((piece) => piece.startsWith("\u001b") || left-- > 0);
  const hasColours = kept.some((piece) => piece.startsWith("\u001b"));
  return `${kept.join("")}…${hasColours ? PLAIN_AGAIN : ""}`;
}

/** Text in lines of at most so many columns, broken at spaces; a word that is longer has a line of its own. */
export function wrapped(text: string, columns: number): string[] {
  return packed(text.split(/\s+/), " ", columns);
}

/** Pieces one after the other in lines of at most so many columns, as far as each of them fits one; colours allowed. */
export function packed(pieces: readonly string[], separator: string, columns: number, first = ""): string[] {
  const lines: string[] = first === "" ? [] : [first];
  let joint = first === "" ? separator : "";
  for (const piece of pieces) {
    const last = lines.at(-1);
    const longer = last === undefined ? piece : last + joint + piece;
    if (last !== undefined && visibleLength(longer) <= columns) lines[lines.length - 1] = longer;
    else lines.push(piece);
    joint = separator;
  }
  return lines;
}

function widest(rows: readonly (readonly string[])[]): readonly number[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, visibleLength(cell));
    }
  }
  return widths;
}

function padded(cell: string, width: number, alignment: Alignment): string {
  const padding = " ".repeat(Math.max(0, width - visibleLength(cell)));
  return alignment === "left" ? cell + padding : padding + cell;
}
