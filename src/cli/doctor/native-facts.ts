import { z } from "zod";

const device = z.object({
  name: z.string(),
  description: z.string(),
  kind: z.enum(["cpu", "gpu", "igpu", "accelerator"]),
  memoryFree: z.number(),
  memoryTotal: z.number(),
});

/** What `native-probe.ts` prints. */
export const nativeReport = z.object({
  llamaTag: z.string(),
  llamaCommit: z.string(),
  ggmlOrigin: z.string(),
  libraryDirectory: z.string(),
  /** CPU threads that computing takes by default. */
  cores: z.number(),
  devices: z.array(device),
  /** Paths of the shared libraries that the process has opened. */
  loaded: z.array(z.string()),
});

export type NativeReport = z.infer<typeof nativeReport>;

export type NativeFacts =
  | ({ readonly works: true } & NativeReport)
  | {
      readonly works: false;
      /** Sentences. */
      readonly reason: string;
    };
