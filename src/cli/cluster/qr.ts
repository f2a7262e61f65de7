import { renderUnicodeCompact } from "uqr";

/** A text as lines of half blocks, dark on light as cameras like it on a terminal of either kind. */
export function qrLines(text: string): readonly string[] {
  return renderUnicodeCompact(text, { border: 2, ecc: "L" }).split("\n");
}
