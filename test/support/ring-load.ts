import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { NodeProcess } from "./node-process.js";

const clusterSchema = z.object({ rings: z.array(z.object({ busy_slots: z.int() })) });

/** Slots of a node's first ring that work on a request. */
export async function busySlots(node: NodeProcess): Promise<number> {
  const { rings } = clusterSchema.parse(await (await fetch(`${node.http}/cluster`)).json());
  return rings[0]?.busy_slots ?? -1;
}

/** Bytes that a process holds in memory; `null` where the system does not tell. */
export async function residentBytes(node: NodeProcess): Promise<number | null> {
  const status = await readFile(`/proc/${node.pid}/status`, "utf8").catch(() => null);
  const found = status?.match(/^VmRSS:\s+(\d+) kB$/m);
  return found?.[1] === undefined ? null : Number(found[1]) * 1024;
}
