import { OPTIONS } from "../../src/config/options.js";
import { Unavailable } from "./subject.js";

const OPTION = "speculation";

const ON = ["auto", "ngram", "on", "true"];
const OFF = ["off", "none", "false"];

/**
 * Arguments of `serve` that switch drafts on or off. Unless asked for they are off: what a model says to a prompt of a few
 * tokens soon repeats itself, and drafts would flatter every figure. Throws where this release cannot draft.
 */
export function speculationArguments(wanted: boolean | undefined): readonly string[] {
  const option = Object.entries(OPTIONS).find(([name]) => name === OPTION)?.[1];
  if (option === undefined) {
    if (wanted === undefined) return [];
    throw new Unavailable(`This release has no option --${OPTION}.`);
  }
  const words = wanted === true ? ON : OFF;
  const word = words.find((candidate) => option.schema.safeParse(candidate).success);
  if (word === undefined) throw new Unavailable(`--${OPTION} takes none of ${words.join(", ")}.`);
  return [`--${option.flag}`, word];
}
