import { z } from "zod";

/** A file of a model as its source has it. */
const pinnedFile = z.object({
  /** In the model's directory. */
  name: z.string().regex(/^[A-Za-z0-9._-]{1,255}$/),
  url: z.url(),
  /** `null` until the server has said it. */
  bytes: z.number().int().positive().nullable(),
  /** Of the whole content, where the source tells it. */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
});

/** The exact files that a spec stood for when the model was first asked for; kept, so that all its parts fit together. */
export const pinnedSourceSchema = z.object({
  /** The spec by which another node comes to the same files. */
  spec: z.string(),
  files: z.array(pinnedFile).min(1).max(1000),
});

export type PinnedFile = z.infer<typeof pinnedFile>;
export type PinnedSource = z.infer<typeof pinnedSourceSchema>;
