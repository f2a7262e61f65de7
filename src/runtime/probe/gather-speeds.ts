import type { LinkRecord } from "../../cluster/link-record.js";
import type { NodeRecord } from "../../cluster/node-record.js";
import { ExoError } from "../../core/errors.js";
import type { Logger } from "../../core/ports.js";
import { coreShares } from "../../planning/core-share.js";
import type { LinkSpeed, ModelSpeed, Speeds } from "../../planning/speeds.js";
import type { NodeService, ProbeModelRequest } from "../../transport/node-service.js";

/** Which model, and the settings of its ring that its speed depends on. */
export type SpeedsRequest = Omit<ProbeModelRequest, "cores">;

export interface SpeedSources {
  /** Of this node. */
  readonly selfId: string;
  readonly own: (request: ProbeModelRequest, signal: AbortSignal) => Promise<ModelSpeed>;
  /** Of another node; `null` when it is not there. */
  readonly find: (nodeId: string) => { readonly client: Pick<NodeService, "probeModel"> } | null;
  /** The ways from a node as it knows them now: while nodes are measured, links are too. */
  readonly links: (node: NodeRecord) => Promise<readonly LinkRecord[]>;
  /** What hops of rings took beyond their links, seconds per hop. */
  readonly hopOverhead: () => number;
  readonly logger: Logger;
}

/**
 * What nodes measured of themselves and of the ways between them. A node that does not say in time is missing.
 *
 * @param nodes of which the model may use any; together they share the cores of their machines
 */
export async function gatherSpeeds(
  sources: SpeedSources,
  nodes: readonly NodeRecord[],
  request: SpeedsRequest,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<Speeds> {
  const shares = coreShares(nodes);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), deadlineMs);
  const inTime = AbortSignal.any([signal, late.signal]);
  const speeds = new Map<string, ModelSpeed>();
  const askOne = async ({ id, name }: NodeRecord): Promise<void> => {
    try {
      speeds.set(id, await ask(sources, id, { ...request, cores: shares.get(id) ?? 0 }, inTime));
    } catch (thrown) {
      const reason = late.signal.aborted ? "it took too long" : ExoError.from(thrown).message;
      sources.logger.info({ node: name, model: request.model, reason }, "a node was not measured");
    }
  };
  await Promise.all(
    byMachine(nodes).map(async (neighbours) => {
      for (const node of neighbours) {
        const twin = neighbours.find((other) => speeds.has(other.id) && areTwins(other, node, shares));
        const known = twin === undefined ? undefined : speeds.get(twin.id);
        if (known === undefined) await askOne(node);
        else speeds.set(node.id, known);
      }
    }),
  );
  clearTimeout(timer);
  if (signal.aborted) throw new ExoError("cancelled", "Measuring was cancelled.");
  const linked = await Promise.all(nodes.map(async (node) => ({ id: node.id, links: await sources.links(node) })));
  return { nodes: speeds, links: linksOf(linked, sources.hopOverhead()) };
}

/** Neighbours on a machine would be in each other's way, so they are asked one after the other. */
function byMachine(nodes: readonly NodeRecord[]): readonly (readonly NodeRecord[])[] {
  const machines = new Map<string, NodeRecord[]>();
  for (const node of nodes) {
    const key = node.machine === "" ? `node ${node.id}` : `machine ${node.machine}`;
    machines.set(key, [...(machines.get(key) ?? []), node]);
  }
  return [...machines.values()];
}

/** Nodes of one machine with the same devices and as many threads are as fast as each other: one of them is measured. */
function areTwins(a: NodeRecord, b: NodeRecord, shares: ReadonlyMap<string, number>): boolean {
  const traits = ({ id, threads, devices }: NodeRecord): string =>
    JSON.stringify([shares.get(id), threads, devices.map(({ name }) => name).sort()]);
  return traits(a) === traits(b);
}

async function ask(
  { selfId, own, find }: SpeedSources,
  nodeId: string,
  request: ProbeModelRequest,
  signal: AbortSignal,
): Promise<ModelSpeed> {
  if (nodeId === selfId) return own(request, signal);
  const member = find(nodeId);
  if (member === null) throw new ExoError("peer_unreachable", "It left meanwhile.");
  return member.client.probeModel(request, signal);
}

/** From what each node says of its ways to the others, each with what a hop takes beyond it. */
export function linksOf(
  records: readonly { readonly id: string; readonly links: readonly LinkRecord[] }[],
  hopOverhead: number,
): readonly LinkSpeed[] {
  const ids = new Set(records.map(({ id }) => id));
  return records.flatMap(({ id: from, links }) =>
    links
      .filter(({ to }) => ids.has(to))
      .map(({ to, seconds, bytesPerSecond }) => ({ from, to, seconds: seconds + hopOverhead, bytesPerSecond })),
  );
}
