import { z } from "zod";

/** What the way to another node takes, as the node that tells it measured it. */
export const linkRecordSchema = z.object({
  /** Node id. */
  to: z.string().max(4096),
  /** One way, for a small message. */
  seconds: z.number().nonnegative().max(3600),
  bytesPerSecond: z.number().positive(),
});

export type LinkRecord = z.infer<typeof linkRecordSchema>;
