import { totalBytes } from "../model/memory-estimate.js";
import type { HeldStage, NodeRecord, RingRecord } from "./node-record.js";

type Device = NodeRecord["devices"][number];

/**
 * The nodes as a planner has to see them: what rings that are being loaded were promised is spoken for, though their
 * nodes still count it as free. `except`: the ring that is planned.
 */
export function withClaims(records: readonly NodeRecord[], except: string): readonly NodeRecord[] {
  const claims = new Map<string, number>();
  for (const ring of records.flatMap(({ rings }) => rings)) {
    if (ring.state !== "loading" || ring.id === except) continue;
    for (const { nodeId, phase, plannedBytes } of ring.stages) {
      if (phase !== "loaded") claims.set(nodeId, (claims.get(nodeId) ?? 0) + plannedBytes);
    }
  }
  return records.map((record) => withLess(lessHeads(record, except), claims.get(record.id) ?? 0));
}

/** A head that is loaded before the rest of its ring is not among its node's stages yet: the cap has to be told of it. */
function lessHeads(record: NodeRecord, except: string): NodeRecord {
  const { memoryCap } = record;
  if (memoryCap === null) return record;
  const loaded = record.rings
    .filter(({ id, state }) => state === "loading" && id !== except)
    .flatMap(({ stages: [head] }) => (head?.phase === "loaded" ? [head] : []));
  const bytes = loaded.reduce((sum, stage) => sum + held(stage), 0);
  return bytes === 0 ? record : { ...record, memoryCap: Math.max(0, memoryCap - bytes) };
}

/** The nodes as a plan of this model has to see them: what rings of other models that are being loaded were promised is spoken for. */
export function withOtherClaims(records: readonly NodeRecord[], spec: string | null): readonly NodeRecord[] {
  const others = records.map((record) => ({ ...record, rings: record.rings.filter((ring) => ring.spec !== spec) }));
  return withClaims(others, "");
}

/** The nodes with the memory that stages take which are in no ring: whoever needs it gets it. */
export function withKeptFreed(records: readonly NodeRecord[]): readonly NodeRecord[] {
  return records.map((record) => {
    const bytes = record.kept.reduce((sum, { memory }) => sum + totalBytes(memory) + memory.output, 0);
    return { ...record, kept: [], devices: withMore(record.devices, bytes) };
  });
}

/** The nodes as they would be without these rings. */
export function withoutRings(records: readonly NodeRecord[], ringIds: ReadonlySet<string>): readonly NodeRecord[] {
  return records.map((record) => {
    const leaving = record.stages.filter(({ ringId }) => ringIds.has(ringId));
    return {
      ...record,
      stages: record.stages.filter((stage) => !leaving.includes(stage)),
      devices: withMore(
        record.devices,
        leaving.reduce((sum, stage) => sum + held(stage), 0),
      ),
    };
  });
}

/**
 * Rings whose memory another model may have, the one that was used longest ago first: neither pinned nor in use.
 * `sparing`: the model that is to be loaded, whose other rings stay.
 */
export function evictableRings(rings: readonly RingRecord[], sparing: string): readonly RingRecord[] {
  return rings
    .filter(({ state, pinned, draining, spec }) => state === "ready" && !pinned && !draining && spec !== sparing)
    .filter(({ idleSeconds, busySlots, waitingRequests }) => idleSeconds !== null && busySlots + waitingRequests === 0)
    .toSorted((a, b) => (b.idleSeconds ?? 0) - (a.idleSeconds ?? 0) || (a.id < b.id ? -1 : 1));
}

function held({ memory }: Pick<HeldStage, "memory">): number {
  return totalBytes(memory) + memory.output;
}

function withLess(record: NodeRecord, bytes: number): NodeRecord {
  if (bytes === 0) return record;
  const { memoryCap } = record;
  return {
    ...record,
    memoryCap: memoryCap === null ? null : Math.max(0, memoryCap - bytes),
    devices: spread(record.devices, bytes, ({ memoryFree }) => memoryFree, -1),
  };
}

/** Nobody says on which device a stage lies; what a device has in use bounds what it can get back. */
function withMore(devices: readonly Device[], bytes: number): Device[] {
  return spread(devices, bytes, ({ memoryTotal, memoryFree }) => Math.max(0, memoryTotal - memoryFree), 1);
}

/** Deals bytes out to the devices, graphics units first as loading does, each up to its room. */
function spread(devices: readonly Device[], bytes: number, room: (device: Device) => number, sign: 1 | -1): Device[] {
  let left = bytes;
  const order = devices.toSorted((a, b) => Number(b.kind === "gpu") - Number(a.kind === "gpu"));
  const shares = new Map<Device, number>();
  for (const device of order) {
    const share = Math.min(left, room(device));
    shares.set(device, share);
    left -= share;
  }
  return devices.map((device) => ({ ...device, memoryFree: device.memoryFree + sign * (shares.get(device) ?? 0) }));
}
