import { z } from "zod";

const name = z.string().max(4096);

/** A node that a model is placed without for a while, as the node tells it whose ring could not be loaded because of it. */
export const unfitRecord = z.object({
  /** Of the model. */
  spec: name,
  nodeId: name,
  /** A node that was started again is another one. */
  instance: name,
  name,
  /** As a part of a sentence. */
  reason: z.string().max(2048),
  /** Clocks of nodes differ, so that this is told rather than a time. */
  secondsLeft: z.number().nonnegative(),
});

export type UnfitRecord = z.infer<typeof unfitRecord>;

export const MOST_UNFIT = 256;
