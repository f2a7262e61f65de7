import { z } from "zod";

/** Not `EXO_NATIVE_…`: it is no setting, and nobody but the supervisor writes it. */
const VARIABLE = "EXO_SUPERVISED_NODE";

const schema = z.object({
  /** Starts before this one. */
  restarts: z.int().min(0),
  /** What the node had before, so that the others know it again though any free port would do. */
  kept: z.object({ nodeId: z.string(), http: z.int(), grpc: z.int() }).nullable(),
  /** Models that are not loaded any more, and with how many crashes each of them earned it. */
  refused: z.array(z.object({ path: z.string(), crashes: z.int() })),
  /** File descriptor 4 is the terminal that standard error would be. */
  terminal: z.boolean(),
});

/** What a supervisor tells the node process that it starts. */
export type Supervision = z.infer<typeof schema>;

export type KeptIdentity = NonNullable<Supervision["kept"]>;

/** Where a supervised process finds the terminal. */
export const TERMINAL_FD = 4;

export function withSupervision(env: NodeJS.ProcessEnv, supervision: Supervision): NodeJS.ProcessEnv {
  return { ...env, [VARIABLE]: JSON.stringify(supervision) };
}

/** Takes it out of the environment, for what this process starts is not supervised; `null`: nobody supervises it. */
export function takeSupervision(process: Pick<NodeJS.Process, "env" | "send">): Supervision | null {
  const text = process.env[VARIABLE];
  delete process.env[VARIABLE];
  if (text === undefined || process.send === undefined) return null;
  return schema.parse(JSON.parse(text));
}
