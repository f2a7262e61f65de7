/** Code points, both ends inside. */
export type Range = readonly [number, number];

const LAST = 0x10ffff;

/** What stands in a JSON string only behind a backslash, or is better not in one: quote, backslash, control characters, lone surrogates. */
const UNSAFE: readonly Range[] = [
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
  [0x7f, 0x7f],
  [0x2028, 0x2029],
  [0xd800, 0xdfff],
];

/** What the escapes of a regular expression stand for; of white space only what needs no escape in JSON. */
export const NAMED: Readonly<Record<string, readonly Range[]>> = {
  d: [[0x30, 0x39]],
  w: [
    [0x30, 0x39],
    [0x41, 0x5a],
    [0x5f, 0x5f],
    [0x61, 0x7a],
  ],
  s: [[0x20, 0x20]],
};

/**
 * A set of characters as llama.cpp's grammars take it, without what would end the JSON string around it; `null` when nothing
 * is left.
 */
export function characterClass(ranges: readonly Range[], negated: boolean): string | null {
  if (negated) return `[^${[...UNSAFE, ...ranges].map(written).join("")}]`;
  const safe = UNSAFE.reduce(without, ranges);
  return safe.length === 0 ? null : `[${safe.map(written).join("")}]`;
}

function without(ranges: readonly Range[], [from, to]: Range): readonly Range[] {
  return ranges.flatMap(([first, last]): Range[] => {
    const parts: Range[] = [
      [first, Math.min(last, from - 1)],
      [Math.max(first, to + 1), Math.min(last, LAST)],
    ];
    return parts.filter(([begin, end]) => begin <= end);
  });
}

function written([first, last]: Range): string {
  return first === last ? character(first) : `${character(first)}-${character(last)}`;
}

function character(code: number): string {
  const text = String.fromCodePoint(code);
  if (/^[A-Za-z0-9 ]$/.test(text)) return text;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
