import { z } from "zod";

const text = z.string().max(4096);
const bytes = z.number().nonnegative();

/** A model in the cache of a node, whole or in part. */
export const heldModel = z.object({
  id: text,
  spec: text,
  /** All of it is here. */
  complete: z.boolean(),
  /** On the disk. */
  bytes,
});

/** A model, or a node's part of one, that is being fetched. */
export const download = z.object({
  spec: text,
  model: text,
  received: bytes,
  /** `null` while nobody has said it. */
  total: bytes.nullable(),
  /** `waiting` (another process fetches it), `downloading` or `verifying`. */
  phase: text,
  bytesPerSecond: bytes,
  /** Where the bytes come from: nodes by name, or `hub`. */
  sources: z
    .array(
      z.object({
        name: text,
        received: bytes,
        /** Why it is not asked any more, or `null`. */
        fault: text.nullable(),
      }),
    )
    .max(1024),
});

export type HeldModelRecord = z.infer<typeof heldModel>;
export type DownloadRecord = z.infer<typeof download>;
