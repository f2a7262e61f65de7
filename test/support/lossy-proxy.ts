import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A TCP connection between two nodes through a link that loses, holds, delays or cuts what passes. */
export class LossyProxy {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #delayMs = 0;
  #toLose = 0;
  #toPass = Number.POSITIVE_INFINITY;
  #waiting: (() => void)[] = [];
  #holding = false;
  #refusing = false;
  /** Bytes that passed, both ways. */
  passed = 0;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = createServer((client) => this.#connect(client));
  }

  /** @param target `host:port` */
  static async start(target: string): Promise<LossyProxy> {
    const at = target.lastIndexOf(":");
    const proxy = new LossyProxy({ host: target.slice(0, at), port: Number(target.slice(at + 1)) });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Lets everything pass from now on, this much later. */
  delay(milliseconds: number): void {
    this.#delayMs = milliseconds;
  }

  /** The next bytes towards the target vanish; what follows them passes. */
  lose(bytes: number): void {
    this.#toLose = bytes;
  }

  /** Of what goes towards the target about so many bytes pass; the rest waits for `passAll`. */
  passOnly(bytes: number): void {
    this.#toPass = bytes;
  }

  passAll(): void {
    this.#toPass = Number.POSITIVE_INFINITY;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Connections stay, but whatever is sent vanishes, as when a cable is pulled. */
  hold(): void {
    this.#holding = true;
  }

  release(): void {
    this.#holding = false;
  }

  /** Ends every connection, and new ones at once, as a firewall that rejects. */
  refuse(): void {
    this.#refusing = true;
    this.cut();
  }

  accept(): void {
    this.#refusing = false;
  }

  /** Ends every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  #connect(client: Socket): void {
    if (this.#refusing) {
      client.destroy();
      return;
    }
    const target = createConnection(this.#target);
    // As the ends themselves do; else small calls wait for acknowledgements, 40 ms each time.
    for (const socket of [client, target]) socket.setNoDelay(true);
    this.#pass(client, target, true);
    this.#pass(target, client, false);
  }

  #pass(from: Socket, to: Socket, towardsTarget: boolean): void {
    this.#sockets.add(from);
    let before = Promise.resolve();
    from.on("data", (bytes) => {
      const kept = this.#keep(bytes, towardsTarget);
      const wait = this.#delayMs;
      before = before.then(async () => {
        if (wait > 0) await delay(wait);
        if (towardsTarget) await this.#room(kept.length);
        if (!to.destroyed && kept.length > 0) to.write(kept);
      });
    });
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  async #room(bytes: number): Promise<void> {
    if (this.#toPass < bytes) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#toPass -= bytes;
  }

  #keep(bytes: Buffer, towardsTarget: boolean): Buffer {
    if (this.#holding) return Buffer.alloc(0);
    const lost = towardsTarget ? Math.min(this.#toLose, bytes.length) : 0;
    if (towardsTarget) this.#toLose -= lost;
    this.passed += bytes.length - lost;
    return bytes.subarray(lost);
  }
}
