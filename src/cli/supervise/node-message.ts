import { z } from "zod";

const line = z.string();

const stage = z.object({ path: z.string(), layerBegin: z.int(), layerEnd: z.int() });

/** An error that nobody caught. Its message only where no text of users can be in it. */
const thrown = z.object({ name: line, message: line.nullable(), frames: z.array(line) });

/** What a node tells its supervisor. */
export const nodeMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("started"), nodeId: z.string(), http: z.int(), grpc: z.int() }),
  /** All that it holds or is loading. */
  z.object({ type: z.literal("stages"), stages: z.array(stage) }),
  z.object({ type: z.literal("memory"), bytes: z.number() }),
  z.object({ type: z.literal("log"), line }),
  z.object({ type: z.literal("thrown"), thrown }),
  /** It ends because it means to. What ends without this has crashed. */
  z.object({ type: z.literal("goodbye"), code: z.int() }),
]);

export type NodeMessage = z.infer<typeof nodeMessage>;
export type CrashedStage = z.infer<typeof stage>;
export type UncaughtError = z.infer<typeof thrown>;

export const crashedStage = stage;
export const uncaughtError = thrown;
