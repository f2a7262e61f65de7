import { styleText } from "node:util";
import { wantsColours } from "../../core/colours.js";
import type { CliIo, CliOutput } from "./cli-io.js";

type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan";

/** Colours text for one output. */
export type Paint = (style: Style, text: string) => string;

export const plainPaint: Paint = (_, text) => text;

/** Colours for what goes to this output, as `wantsColours` says. */
export function paintFor({ isTTY }: CliOutput, env: CliIo["env"]): Paint {
  return wantsColours(isTTY === true, env)
    ? (style, text) => styleText(style, text, { validateStream: false })
    : plainPaint;
}
