import { type Option, parsed } from "./option.js";

const PART = /^(?:0|1|0?\.\d{1,9}|1\.0+)$/;

function parsePart(text: string): number | null {
  if (text === "on") return 1;
  if (text === "off") return 0;
  return PART.test(text) ? Number(text) : null;
}

/** Of which requests the timing is recorded; a part of `OPTIONS`. */
export const TRACES_OPTION: Option<number> = {
  flag: "traces",
  argument: "part",
  description: "part of the requests to record the timing of: on, off, or 0 to 1 (default: on)",
  expects: "on, off, or a number from 0 to 1",
  schema: parsed(parsePart),
  default: 1,
};
