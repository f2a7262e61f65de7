import { z } from "zod";
import { crashedStage, uncaughtError } from "./node-message.js";

/**
 * - memory: the system ended the process for want of memory
 * - killed: somebody, or the system, ended it with SIGKILL
 * - assertion: ggml or a library found an inconsistency and ended it
 * - signal: it did what the system does not allow, e.g. SIGSEGV
 * - exception: an error in JavaScript that nobody caught
 * - exit: it ended without saying why
 */
export const CRASH_KINDS = ["memory", "killed", "assertion", "signal", "exception", "exit"] as const;
export type CrashKind = (typeof CRASH_KINDS)[number];

const count = z.number().min(0);

export const crashReport = z.object({
  time: z.iso.datetime(),
  version: z.string(),
  platform: z.string(),
  arch: z.string(),
  nodeVersion: z.string(),
  /** The node's. */
  name: z.string(),
  kind: z.enum(CRASH_KINDS),
  /** A clause. */
  cause: z.string(),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  uptimeSeconds: count,
  /** It had come as far as to answer. */
  started: z.boolean(),
  /** Crashes since the node last ran for some minutes, this one included. */
  crashesInARow: count,
  /** What it held or was loading. */
  stages: z.array(crashedStage),
  /** Bytes, as last heard; `null`: not known. */
  memory: z.object({
    node: count.nullable(),
    free: count,
    total: count,
    limit: count.nullable(),
  }),
  /** Processes that the system ended for want of memory while the node ran; `null`: it does not tell. */
  oomKills: count.nullable(),
  thrown: uncaughtError.nullable(),
  /** Last words on standard error. */
  stderr: z.array(z.string()),
  /** Last lines of the log, each a JSON object. */
  log: z.array(z.string()),
});

/** What is kept of a crash. No text of users. */
export type CrashReport = z.infer<typeof crashReport>;
