import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";

/** What is wrong with the way from one node to another. */
export interface WireFault {
  /** Milliseconds that bytes take longer, each way. */
  readonly delayMs?: number;
  /** Nothing arrives, and nobody is told. */
  readonly silent?: boolean;
}

/** Something that happens once to the bytes that pass next. */
export type WireAccident = "corrupt" | "truncate" | "reorder";

type Passing = { readonly from: string; readonly to: string };

interface Way extends Passing {
  fault: WireFault;
  accidents: WireAccident[];
  readonly sockets: Set<Socket>;
}

/** Bytes held back to come after those behind them. */
interface Direction {
  held: Buffer | null;
  before: Promise<void>;
}

/** All ways between the nodes of a network, each of which goes through a proxy here and can be disturbed. */
export class Wire {
  readonly #ways = new Map<string, Way>();
  readonly #servers: Server[] = [];
  /** Name of the node that calls from an address. */
  readonly #nameOf: (address: string) => string;

  constructor(nameOf: (address: string) => string) {
    this.#nameOf = nameOf;
  }

  /** Calls to this address of a node go on to where it really listens. */
  async open(to: string, at: { readonly host: string; readonly port: number }, target: string): Promise<void> {
    const server = createServer({ allowHalfOpen: false }, (caller) => this.#connect(caller, to, target));
    server.listen(at);
    await once(server, "listening");
    this.#servers.push(server);
  }

  set(from: string, to: string, fault: WireFault): void {
    this.#way(from, to).fault = fault;
  }

  accident(from: string, to: string, what: WireAccident): void {
    this.#way(from, to).accidents.push(what);
  }

  /** Ends all connections of this way. */
  cut(from: string, to: string): void {
    for (const socket of this.#way(from, to).sockets) socket.destroy();
  }

  /** All is well again. What was silent has lost bytes, so its connections end. */
  mend(): void {
    for (const way of this.#ways.values()) {
      if (way.fault.silent === true) this.cut(way.from, way.to);
      way.fault = {};
      way.accidents = [];
    }
  }

  async close(): Promise<void> {
    for (const way of this.#ways.values()) this.cut(way.from, way.to);
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  #way(from: string, to: string): Way {
    const key = `${from}>${to}`;
    const known = this.#ways.get(key);
    if (known !== undefined) return known;
    const way: Way = { from, to, fault: {}, accidents: [], sockets: new Set() };
    this.#ways.set(key, way);
    return way;
  }

  #connect(caller: Socket, to: string, target: string): void {
    const way = this.#way(this.#nameOf(caller.remoteAddress ?? ""), to);
    const called = createConnection(target);
    for (const [one, other] of [
      [caller, called],
      [called, caller],
    ] as const) {
      one.setNoDelay(true);
      way.sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        way.sockets.delete(one);
        other.destroy();
      });
      pass(one, other, way);
    }
  }
}

/** Bytes come in order, later by the delay, with the accidents that happen to the way. */
function pass(from: Socket, to: Socket, way: Way): void {
  const direction: Direction = { held: null, before: Promise.resolve() };
  from.on("data", (bytes) => {
    if (way.fault.silent === true) return;
    const passed = withAccident(bytes, way, direction);
    const arrives = performance.now() + (way.fault.delayMs ?? 0);
    direction.before = direction.before.then(async () => {
      const wait = arrives - performance.now();
      if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
      if (!to.destroyed && way.fault.silent !== true && passed.length > 0) to.write(passed);
    });
  });
}

/** Smaller pieces are keep-alives, whose loss proves little. */
const WORTHWHILE = 200;

function withAccident(bytes: Buffer, way: Way, direction: Direction): Buffer {
  const { held } = direction;
  if (held !== null) {
    direction.held = null;
    return Buffer.concat([bytes, held]);
  }
  if (bytes.length < WORTHWHILE) return bytes;
  const accident = way.accidents.shift();
  if (accident === undefined) return bytes;
  const middle = bytes.length >> 1;
  if (accident === "truncate") return Buffer.concat([bytes.subarray(0, middle), bytes.subarray(middle + 7)]);
  if (accident === "corrupt") {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(bytes.readUInt8(middle) ^ 0x10, middle);
    return changed;
  }
  direction.held = Buffer.from(bytes);
  return Buffer.alloc(0);
}
