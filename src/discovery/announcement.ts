import type { Answer, Packet, SrvAnswer, TxtAnswer } from "dns-packet";
import { z } from "zod";
import type { NodeHello } from "../transport/node-service.js";

/** What a node says of itself on a network. */
export interface Announcement {
  readonly nodeId: string;
  /** New at each start. */
  readonly instance: string;
  readonly name: string;
  /** Of the package. */
  readonly version: string;
  readonly protocolVersion: number;
  readonly cluster: string;
  /** Of its gRPC server. */
  readonly port: number;
}

/** An announcement as it was heard, or `null`s where a node says goodbye. */
export interface Heard {
  /** Name of the service instance, in lower case. */
  readonly instanceName: string;
  readonly announcement: Announcement | null;
  readonly addresses: readonly string[];
  /** 0: it leaves. */
  readonly ttlSeconds: number;
}

/** DNS-SD (RFC 6763) over multicast DNS (RFC 6762). */
export const SERVICE = "_exo-native._tcp.local";
export const TTL_SECONDS = 120;

const MOST_INSTANCES = 64;

export function announcementOf(hello: NodeHello): Announcement {
  const { nodeId, instance, name, version, protocolVersion, cluster, grpcPort: port } = hello;
  return { nodeId, instance, name, version, protocolVersion, cluster, port };
}

/** Everything about one node in one packet. */
export function toPacket(own: Announcement, addresses: readonly string[], ttl: number): Packet {
  const instance = `${own.nodeId}.${SERVICE}`;
  const host = `${own.nodeId}.local`;
  const { nodeId: id, instance: boot, name, version, protocolVersion, cluster, port } = own;
  const txt = { id, boot, name, version, protocol: protocolVersion, cluster };
  const data = Object.entries(txt).map(([key, value]) => `${key}=${value}`);
  return {
    type: "response",
    flags: AUTHORITATIVE,
    answers: [
      { type: "PTR", name: SERVICE, ttl, data: instance },
      { type: "SRV", name: instance, ttl, flush: true, data: { port, target: host, priority: 0, weight: 0 } },
      { type: "TXT", name: instance, ttl, flush: true, data },
      ...addresses.map((address): Answer => {
        return { type: address.includes(":") ? "AAAA" : "A", name: host, ttl, flush: true, data: address };
      }),
    ],
  };
}

export const QUESTION: Packet = { type: "query", questions: [{ type: "PTR", name: SERVICE }] };

/** Of a DNS header. */
const AUTHORITATIVE = 1 << 10;

/** Whether a question is one that this node's announcement answers. */
export function asksFor(packet: Packet, nodeId: string): boolean {
  const names = new Set([SERVICE, `${nodeId}.${SERVICE}`, `${nodeId}.local`].map(lower));
  return packet.type === "query" && (packet.questions ?? []).some(({ name }) => names.has(lower(name)));
}

/** Nodes that a packet tells of. What is malformed is left out: other programs speak on the same port. */
export function heardIn(packet: Packet): readonly Heard[] {
  if (packet.type !== "response") return [];
  const records = [...(packet.answers ?? []), ...(packet.additionals ?? [])];
  return records
    .filter((record) => record.type === "PTR" && lower(record.name) === SERVICE)
    .slice(0, MOST_INSTANCES)
    .flatMap((pointer) => (pointer.type === "PTR" ? heardOf(pointer.data, pointer.ttl ?? 0, records) : []));
}

function heardOf(instance: string, ttlSeconds: number, records: readonly Answer[]): readonly Heard[] {
  const instanceName = lower(instance);
  if (ttlSeconds === 0) return [{ instanceName, announcement: null, addresses: [], ttlSeconds }];
  const service = records.find((one): one is SrvAnswer => one.type === "SRV" && lower(one.name) === instanceName);
  const text = records.find((one): one is TxtAnswer => one.type === "TXT" && lower(one.name) === instanceName);
  const announced = announcement.safeParse({ ...fieldsOf(text?.data ?? []), port: service?.data.port });
  if (service === undefined || !announced.success) return [];
  const { id: nodeId, boot, name, version, protocol: protocolVersion, cluster, port } = announced.data;
  return [
    {
      instanceName,
      announcement: { nodeId, instance: boot, name, version, protocolVersion, cluster, port },
      addresses: addressesOf(service.data.target, records),
      ttlSeconds,
    },
  ];
}

const word = z.string().regex(/^[\x21-\x7e]{1,128}$/);

const announcement = z.object({
  id: word,
  boot: word,
  name: z.string().min(1).max(256),
  version: z.string().max(64),
  protocol: z.coerce.number().int().nonnegative(),
  cluster: z.string().max(64),
  port: z.int().min(1).max(65_535),
});

function addressesOf(host: string, records: readonly Answer[]): readonly string[] {
  return records.flatMap((record) => {
    const isAddress = record.type === "A" || record.type === "AAAA";
    return isAddress && lower(record.name) === lower(host) ? [record.data] : [];
  });
}

/** `key=value` strings of a TXT record. */
function fieldsOf(data: TxtAnswer["data"]): Readonly<Record<string, string>> {
  const texts = [data].flat().map(String);
  return Object.fromEntries(texts.filter((text) => text.includes("=")).map(split));
}

function split(text: string): [string, string] {
  const at = text.indexOf("=");
  return [text.slice(0, at).toLowerCase(), text.slice(at + 1)];
}

function lower(name: string): string {
  return name.toLowerCase();
}
