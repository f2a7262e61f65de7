import { styleText } from "node:util";
import type { CliIo, CliOutput } from "./cli-io.js";

type Style = "bold" | "dim" | "green" | "yellow" | "red" | "cyan";

/** Colours text for one output. */
export type Paint = (style: Style, text: string) => string;

export const plainPaint: Paint = (_, text) => text;

/** Colours on a terminal, none elsewhere, none when `NO_COLOR` is set (no-color.org) or the terminal is dumb. */
export function paintFor(output: CliOutput, env: CliIo["env"]): Paint {
  const wanted = output.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
  return wanted ? (style, text) => styleText(style, text, { validateStream: false }) : plainPaint;
}
