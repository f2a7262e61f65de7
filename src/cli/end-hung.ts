import { NODE_EXIT } from "../core/exit-codes.js";

/** Milliseconds in which the other nodes and the clients are told. */
const LAST_WORDS_MS = 1_000;

/**
 * Ends the process of a node whose computing thread hangs. Not in order: whoever waits for that thread waits for ever.
 * What is written is written anew on each start, and peers and clients are told before.
 */
export function endHung(): void {
  setTimeout(() => process.exit(NODE_EXIT.hung), LAST_WORDS_MS);
}
