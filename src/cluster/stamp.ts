import { z } from "zod";

/** Ids are printable ASCII without spaces, as in the metadata of a call. */
const instanceText = z.string().regex(/^[\x21-\x7e]{1,64}$/);

/**
 * Larger than any clock shows in milliseconds for thousands of years, and small enough that a node can always outbid
 * what it hears of itself in exact numbers.
 */
export const MAX_INCARNATION = 2 ** 48;

/** The fields of a node's record by which of two the newer is known; docs/membership.md tells what they mean. */
export const stampFields = {
  /** Random, new at each start: two nodes that say the same id and not the same instance are two processes. */
  instance: instanceText,
  /** Raised by the node itself, and by nobody else, to answer what is said of it. Begins with the clock. */
  incarnation: z.int().min(0).max(MAX_INCARNATION),
  /** Counts the records of one instance that differ. */
  revision: z.int().nonnegative(),
};
