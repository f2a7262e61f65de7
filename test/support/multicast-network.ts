import { decode, encode } from "dns-packet";
import type { MulticastEvents, MulticastLink, OpenMulticast } from "../../src/discovery/multicast-socket.js";

interface Socket {
  readonly host: FakeHost;
  readonly family: 4 | 6;
  readonly events: MulticastEvents;
}

export interface FakeHost {
  /** What each `via` is plugged into, and the source address of its packets. */
  readonly plugs: ReadonlyMap<string, { readonly lan: string; readonly from: string }>;
}

/** Networks that carry multicast between hosts of a test, packet by packet, as bytes. */
export class MulticastNetwork {
  readonly #sockets = new Set<Socket>();
  /** Packets that were sent, by network. */
  readonly sent = new Map<string, number>();

  get open(): number {
    return this.#sockets.size;
  }

  /** The way for one host to take part. */
  openFor(host: FakeHost): OpenMulticast {
    return async (link, events) => {
      const plug = host.plugs.get(link.via);
      if (plug === undefined) throw new Error("addMembership ENODEV");
      const socket: Socket = { host, family: link.family, events };
      this.#sockets.add(socket);
      return {
        send: async (packet) => {
          if (this.#sockets.has(socket)) this.#deliver(plug, link, encode(packet));
        },
        close: async () => void this.#sockets.delete(socket),
      };
    };
  }

  /** What a host sends or should hear is lost from now on. */
  vanish(host: FakeHost): void {
    for (const socket of this.#sockets) if (socket.host === host) this.#sockets.delete(socket);
  }

  /** As Linux does with IPv4: every socket of a host hears what comes in on any of its interfaces. */
  #deliver(plug: { readonly lan: string; readonly from: string }, { family }: MulticastLink, bytes: Uint8Array): void {
    this.sent.set(plug.lan, (this.sent.get(plug.lan) ?? 0) + 1);
    for (const { host, family: heardIn, events } of this.#sockets) {
      const connected = [...host.plugs.entries()].find(([via, { lan }]) => lan === plug.lan && isFamily(via, family));
      if (connected === undefined || heardIn !== family) continue;
      const [via] = connected;
      const scope = family === 6 ? via.slice(via.indexOf("%")) : "";
      events.onPacket(decode(Buffer.from(bytes)), `${plug.from}${scope}`);
    }
  }
}

function isFamily(via: string, family: 4 | 6): boolean {
  return via.includes(":") === (family === 6);
}
