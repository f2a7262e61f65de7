import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { pause } from "../../core/waiting.js";
import type { MulticastResult } from "./system.js";

/** RFC 6762. */
const PORT = 5353;
const GROUP = { IPv4: "224.0.0.251", IPv6: "ff02::fb" } as const;

/** A responder may wait up to half a second before it answers. Milliseconds. */
const LISTENING = 1200;

const TYPE = { A: 1, PTR: 12 } as const;
const CLASS_INTERNET = 1;

/**
 * Sends an mDNS question into one network and listens: for the question itself, which shows that this machine sends and
 * receives, and for the answers of others, which show that the network carries such packets.
 */
export async function probeMulticast(address: string, family: "IPv4" | "IPv6", name: string): Promise<MulticastResult> {
  const label = `exo-native-doctor-${randomBytes(6).toString("hex")}`;
  const kind = family === "IPv4" ? ({ type: "udp4" } as const) : ({ type: "udp6", ipv6Only: true } as const);
  const socket = createSocket({ ...kind, reuseAddr: true });
  const heard = { itself: false, others: new Set<string>() };
  const failure = new AbortController();
  let error: string | null = null;
  const fail = (thrown: unknown): void => {
    error ??= codeOf(thrown);
    failure.abort();
  };
  const own = ownAddresses();
  socket.on("error", fail);
  socket.on("message", (packet, { address: sender }) => {
    if (packet.includes(label)) heard.itself = true;
    else if (!own.has(withoutScope(sender))) heard.others.add(withoutScope(sender));
  });
  try {
    await join(socket, address, family, name);
    socket.send(question(label), PORT, GROUP[family] + scopeOf(family, name), (thrown) => {
      if (thrown !== null) fail(thrown);
    });
    await pause(LISTENING, failure.signal);
  } catch (thrown) {
    fail(thrown);
  } finally {
    socket.close();
  }
  return { heardItself: heard.itself, others: [...heard.others], error };
}

async function join(socket: Socket, address: string, family: "IPv4" | "IPv6", name: string): Promise<void> {
  const listening = once(socket, "listening");
  socket.bind({ port: PORT });
  await listening;
  const through = family === "IPv4" ? address : `::${scopeOf(family, name)}`;
  socket.addMembership(GROUP[family], through);
  socket.setMulticastInterface(through);
  socket.setMulticastLoopback(true);
  socket.setMulticastTTL(255);
}

/** Windows numbers interfaces, and takes the one of the best route where no number is given. */
function scopeOf(family: "IPv4" | "IPv6", name: string): string {
  return family === "IPv4" || process.platform === "win32" ? "" : `%${name}`;
}

/** Which kinds of services there are, which every responder answers; and a name that nobody has, to know it again. */
function question(label: string): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(2, 4);
  return Buffer.concat([
    header,
    query(["_services", "_dns-sd", "_udp", "local"], TYPE.PTR),
    query([label, "local"], TYPE.A),
  ]);
}

function query(labels: readonly string[], type: number): Buffer {
  const name = labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, "ascii")]);
  const end = Buffer.alloc(5);
  end.writeUInt16BE(type, 1);
  end.writeUInt16BE(CLASS_INTERNET, 3);
  return Buffer.concat([...name, end]);
}

function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.map(({ address }) => withoutScope(address)));
}

function withoutScope(address: string): string {
  return address.split("%")[0] ?? address;
}

function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const code: unknown = Reflect.get(thrown, "code");
  return typeof code === "string" ? code : thrown.message;
}
