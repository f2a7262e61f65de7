import { OPTIONS } from "../../src/config/options.js";
import { Unavailable } from "./subject.js";

const OPTION = "speculation";

/** Arguments of `serve` that switch prompt-lookup drafts on or off. Throws where this release cannot draft. */
export function speculationArguments(wanted: boolean | undefined): readonly string[] {
  if (wanted === undefined) return [];
  const option = Object.entries(OPTIONS).find(([name]) => name === OPTION)?.[1];
  if (option === undefined) throw new Unavailable(`This release has no option --${OPTION}.`);
  const words = wanted ? ["ngram", "prompt-lookup", "on", "true"] : ["off", "none", "false"];
  const word = words.find((candidate) => option.schema.safeParse(candidate).success);
  if (word === undefined) throw new Unavailable(`--${OPTION} takes none of ${words.join(", ")}.`);
  return [`--${option.flag}`, word];
}
