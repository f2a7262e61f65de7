import { z } from "zod";
import type { NodeTrace, Span } from "../core/trace.js";

/** More than a node tells. */
const MOST_SPANS = 8192;
const MOST_TRACES = 1024;

const word = z.string().max(256);
const seconds = z.number();

const spanSchema: z.ZodType<Span> = z.object({
  name: word,
  nodeId: word,
  stage: z.int().nonnegative().nullable(),
  begin: seconds,
  end: seconds,
  attributes: z.record(word, z.union([word, z.number(), z.boolean()])),
});

const nodeTraceSchema: z.ZodType<NodeTrace> = z.object({
  nodeId: word,
  requestId: word,
  traceId: word,
  parentId: word,
  begin: seconds,
  end: seconds,
  running: z.boolean(),
  spans: z.array(spanSchema).max(MOST_SPANS),
  dropped: z.int().nonnegative(),
});

/** `core/trace.ts` as it arrives from a peer. */
export const nodeTracesSchema = z.array(nodeTraceSchema).max(MOST_TRACES);
