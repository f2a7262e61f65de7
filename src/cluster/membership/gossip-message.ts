import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import { addressField } from "../addresses.js";
import { type NodeRecord, nodeRecordSchema } from "../node-record.js";
import { stampFields } from "../stamp.js";
import type { GossipItem, GossipMessage } from "./gossip-state.js";

/** More nodes than a cluster of machines that people own will have. */
export const MAX_NODES = 1024;
/** Of records in one message, as JSON. The transport's own limit is well above. */
export const MESSAGE_BYTES = 1024 * 1024;
/** A faulty message is not complained of at any length. */
const MAX_FAULTS = 8;

const id = z.string().regex(/^[\x21-\x7e]{1,128}$/);
const standing = z.enum(["alive", "suspect", "gone"]);
const goneMs = z.number().nonnegative();

const digest = z.object({ id, ...stampFields, standing, goneMs, heard: z.boolean() });
const item = z.object({ record: nodeRecordSchema, standing, goneMs, at: addressField.nullable() });

/** What holds the parts of a message together; each part is parsed by itself. */
const envelope = z.object({
  from: id,
  digests: z
    .array(z.unknown())
    .max(MAX_NODES + 1)
    .nullable(),
  items: z.array(z.unknown()).max(MAX_NODES + 1),
  wanted: z.array(id).max(MAX_NODES + 1),
});

export interface ReadMessage {
  readonly message: GossipMessage<NodeRecord>;
  /** What of it cannot be used, as ends of sentences; the rest can. */
  readonly faults: readonly string[];
}

/** Throws `peer_incompatible` when nothing of it can be used. */
export function readGossip(value: unknown): ReadMessage {
  const outer = envelope.safeParse(value);
  if (!outer.success) {
    throw new ExoError("peer_incompatible", `Gossip cannot be read: ${whatIsWrong(outer.error)}.`);
  }
  const { from, digests, items, wanted } = outer.data;
  const faults: string[] = [];
  const complain = (fault: string): void => {
    if (faults.length < MAX_FAULTS) faults.push(fault);
  };
  return {
    message: {
      from,
      digests: digests === null ? null : digests.flatMap((raw) => readEach(digest, raw, "a digest", complain)),
      items: items.flatMap((raw): GossipItem<NodeRecord>[] => readEach(item, raw, describe(raw), complain)),
      wanted,
    },
    faults,
  };
}

function readEach<T>(schema: z.ZodType<T>, raw: unknown, what: string, complain: (fault: string) => void): T[] {
  const result = schema.safeParse(raw);
  if (result.success) return [result.data];
  complain(`${what} that is malformed at ${whatIsWrong(result.error)}`);
  return [];
}

/** Whose record it is, if even that can be read. */
function describe(raw: unknown): string {
  const named = z.object({ record: z.object({ id }) }).safeParse(raw);
  return named.success ? `a record of node ${named.data.record.id}` : "a record";
}

function whatIsWrong({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.join(".") || "its root"}: ${issue?.message ?? "unknown fault"}`;
}
