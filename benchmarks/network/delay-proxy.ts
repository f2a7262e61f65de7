import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { z } from "zod";
import { type Link, LinkQueue } from "./link-queue.js";
import { PreciseTimer } from "./precise-timer.js";

export interface ProxyAddress {
  readonly host: string;
  readonly port: number;
}

const addressSchema = z.object({ address: z.string(), port: z.int() });

/** What passes a direction: bytes, or (`null`) its end. */
type Piece = Buffer | null;

interface Direction {
  readonly queue: LinkQueue<Piece>;
  readonly source: Socket;
  readonly target: Socket;
}

/** Bytes under way in one direction beyond which its sender has to wait; what 10 ms hold at 3 GB/s. */
const MOST_BYTES = 32 * 1024 * 1024;

/** Waking up takes about as long, so the thread is asked for so much earlier; what is left of it is waited out. */
const WAKE_UP_MS = 0.2;

/**
 * A TCP proxy that makes a loopback connection behave like a link: every byte arrives `oneWayMs` later, and no more than
 * `bytesPerSecond` of them pass, in each direction and for each connection.
 */
export class DelayProxy {
  readonly address: ProxyAddress;
  readonly #server: Server;
  readonly #timer: PreciseTimer;
  readonly #link: Link;
  readonly #target: ProxyAddress;
  readonly #directions = new Set<Direction>();
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, link: Link, target: ProxyAddress) {
    const { address, port } = addressSchema.parse(server.address());
    this.address = { host: address, port };
    this.#server = server;
    this.#link = link;
    this.#target = target;
    this.#timer = new PreciseTimer(() => this.#deliver());
    server.on("connection", (socket) => this.#accept(socket));
  }

  /** @param listen port 0: any */
  static async open(listen: ProxyAddress, target: ProxyAddress, link: Link): Promise<DelayProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(listen.port, listen.host);
    await once(server, "listening");
    // A port of 0 as the target means: the same as the one the proxy got.
    const { port } = addressSchema.parse(server.address());
    return new DelayProxy(server, link, { host: target.host, port: target.port === 0 ? port : target.port });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#directions.clear();
    this.#server.close();
    await Promise.all([once(this.#server, "close"), this.#timer.close()]);
  }

  #accept(client: Socket): void {
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const pair = [client, server] as const;
    const directions = [this.#join(client, server), this.#join(server, client)];
    const forget = (): void => {
      for (const socket of pair) {
        socket.destroy();
        this.#sockets.delete(socket);
      }
      for (const direction of directions) this.#directions.delete(direction);
    };
    for (const socket of pair) {
      this.#sockets.add(socket);
      socket.on("error", forget);
      socket.on("close", () => {
        if (pair.every(({ closed }) => closed)) forget();
      });
    }
  }

  #join(source: Socket, target: Socket): Direction {
    const direction: Direction = { queue: new LinkQueue(this.#link), source, target };
    this.#directions.add(direction);
    source.on("data", (bytes) => this.#push(direction, bytes, bytes.byteLength));
    source.on("end", () => this.#push(direction, null, 0));
    return direction;
  }

  #push(direction: Direction, piece: Piece, bytes: number): void {
    const { queue } = direction;
    const idle = queue.nextDue === null;
    queue.push(piece, bytes, PreciseTimer.now());
    if (isFull(direction)) direction.source.pause();
    if (idle) this.#arm();
  }

  #deliver(): void {
    const now = this.#waitOut(PreciseTimer.now());
    for (const direction of this.#directions) {
      for (const piece of direction.queue.take(now)) deliver(direction, piece);
    }
    this.#arm();
  }

  /** Time when the next piece is due, if that is now or in a moment. */
  #waitOut(begun: number): number {
    const due = this.#nextDue();
    let now = begun;
    while (now < due && due - begun <= WAKE_UP_MS) now = PreciseTimer.now();
    return now;
  }

  #arm(): void {
    const due = this.#nextDue();
    if (due !== Number.POSITIVE_INFINITY) this.#timer.wakeAt(due - WAKE_UP_MS);
  }

  #nextDue(): number {
    return Math.min(...[...this.#directions].map(({ queue }) => queue.nextDue ?? Number.POSITIVE_INFINITY));
  }
}

function deliver(direction: Direction, piece: Piece): void {
  const { source, target } = direction;
  if (piece === null) target.end();
  else if (target.writable) target.write(piece, () => resumeWhenRoom(direction));
  if (source.isPaused()) resumeWhenRoom(direction);
}

function isFull({ queue, target }: Direction): boolean {
  return queue.bytes + target.writableLength > MOST_BYTES;
}

function resumeWhenRoom(direction: Direction): void {
  if (!isFull(direction)) direction.source.resume();
}
