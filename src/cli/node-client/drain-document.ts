import { z } from "zod";

/** What `POST /cluster/drain` answers. */
export const drainDocument = z.looseObject({
  node: z.looseObject({ id: z.string(), name: z.string() }),
  draining: z.boolean(),
  /** Rings that are placed without the node. */
  rings: z.array(z.looseObject({ id: z.string(), model: z.string() })),
});

export type DrainDocument = z.output<typeof drainDocument>;
