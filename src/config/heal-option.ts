import { type Option, wholeNumber } from "./option.js";

/** How long requests wait for a ring that broke; a part of `OPTIONS`. */
export const HEAL_TIMEOUT_OPTION: Option<number> = {
  flag: "heal-timeout",
  argument: "seconds",
  description: "let requests wait so long for a model whose ring broke",
  expects: "a whole number of seconds from 0 to 86400",
  schema: wholeNumber(0, 86_400),
  default: 60,
};
