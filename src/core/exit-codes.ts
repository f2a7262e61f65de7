/**
 * How a node's process ends when it cannot go on: for whoever started it, which starts it again. Beside those that users
 * see, which are 0, 1 and 2.
 */
export const NODE_EXIT = {
  /** A native thread hangs, so the process ended itself (EX_TEMPFAIL of sysexits.h). */
  hung: 75,
} as const;
