/**
 * Whether text may be coloured: never when `NO_COLOR` is set to anything (no-color.org); else as `FORCE_COLOR` says, where 0
 * and false mean no (force-color.org); else on a terminal that is not dumb.
 */
export function wantsColours(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = env;
  if (NO_COLOR) return false;
  if (FORCE_COLOR) return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  return isTerminal && TERM !== "dumb";
}
