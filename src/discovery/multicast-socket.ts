import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { decode, encode, type Packet } from "dns-packet";

/** One network interface in one family. */
export interface MulticastLink {
  readonly family: 4 | 6;
  /** What names the interface to the system: an own IPv4 address on it, or `::%scope`. */
  readonly via: string;
}

export interface MulticastSocket {
  /** Rejects when the system refuses to send. */
  send(packet: Packet): Promise<void>;
  close(): Promise<void>;
}

export interface MulticastEvents {
  /** @param from the sender's address, with its scope when it holds on one link only */
  onPacket(packet: Packet, from: string): void;
  onError(error: Error): void;
}

/** Joins the group of multicast DNS on a link. Rejects when the link does not take part in multicast, or is gone. */
export type OpenMulticast = (link: MulticastLink, events: MulticastEvents) => Promise<MulticastSocket>;

const GROUPS = { 4: "224.0.0.251", 6: "ff02::fb" } as const;
export const MDNS_PORT = 5353;
/** Of every packet of multicast DNS; lower ones would come from beyond the link. */
const TTL = 255;

/** @param port another than that of multicast DNS is for tests, which then hear nobody else */
export function multicastOn(port: number): OpenMulticast {
  return async ({ family, via }, { onPacket, onError }) => {
    const type = family === 4 ? "udp4" : "udp6";
    // Others on this machine, the system's own responder among them, listen on the same port.
    const socket = createSocket({ type, reuseAddr: true, ipv6Only: family === 6 });
    socket.on("message", (bytes, { address }) => {
      const packet = decoded(bytes);
      if (packet !== null) onPacket(packet, address);
    });
    try {
      socket.bind(port, family === 4 ? "0.0.0.0" : "::");
      await once(socket, "listening");
      join(socket, GROUPS[family], via);
    } catch (thrown) {
      socket.on("error", () => {});
      socket.close();
      throw thrown;
    }
    socket.on("error", onError);
    return {
      send: async (packet) => send(socket, encode(packet), port, GROUPS[family]),
      close: () => closed(socket),
    };
  };
}

function join(socket: Socket, group: string, via: string): void {
  socket.addMembership(group, via);
  socket.setMulticastInterface(via);
  socket.setMulticastTTL(TTL);
  // Nodes of one machine find each other, too.
  socket.setMulticastLoopback(true);
}

function send(socket: Socket, bytes: Uint8Array, port: number, group: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(bytes, port, group, (error) => (error === null ? resolve() : reject(error)));
  });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.close(() => resolve());
  });
}

/** Anybody may send anything here. */
function decoded(bytes: Buffer): Packet | null {
  try {
    return decode(bytes);
  } catch {
    return null;
  }
}
