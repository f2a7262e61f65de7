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

/** Text in lines of at most so many columns, broken at spaces. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
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
