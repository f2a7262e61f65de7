import type { Settings } from "./config.js";
import { type Option, wholeNumber } from "./option.js";

type DeadlineSettings = Pick<Settings, "stageTimeout" | "healTimeout">;

const DAY_SECONDS = 86_400;

/** What is waited for no longer; a part of `OPTIONS`. */
export const DEADLINE_OPTIONS: { readonly [Key in keyof DeadlineSettings]: Option<DeadlineSettings[Key]> } = {
  stageTimeout: {
    flag: "stage-timeout",
    argument: "seconds",
    description:
      "a computing thread that is not back for longer, and for far longer than it ever took, counts as hung: the node starts again",
    expects: `a whole number of seconds from 1 to ${DAY_SECONDS}`,
    schema: wholeNumber(1, DAY_SECONDS),
    default: 60,
  },
  healTimeout: {
    flag: "heal-timeout",
    argument: "seconds",
    description: "let requests wait so long for a model whose ring broke",
    expects: `a whole number of seconds from 0 to ${DAY_SECONDS}`,
    schema: wholeNumber(0, DAY_SECONDS),
    default: 60,
  },
};
