import type { TestContext } from "node:test";
import { type Member, Membership, type PeerClient } from "../../src/cluster/membership.js";
import { formatHostPort, type HostPort } from "../../src/config/address.js";
import { ExoError } from "../../src/core/errors.js";
import { type Clock, type Logger, silentLogger, systemClock } from "../../src/core/ports.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import type { NodeHello } from "../../src/transport/node-service.js";
import { LossyProxy } from "../support/lossy-proxy.js";
import { sampleRecord } from "../support/sample-record.js";
import { BUILD, startNode, type TestNode } from "./transport-harness.js";

const HEARTBEAT_MS = 60;

/** Addresses as the nodes of a test know them, each leading over a wire of its own for each caller. */
export class Wires {
  readonly #context: TestContext;
  /** By address: where the node that listens there really is. */
  readonly #targets = new Map<string, HostPort>();
  readonly #wires = new Map<string, LossyProxy>();

  constructor(context: TestContext) {
    this.#context = context;
    context.after(() => Promise.all([...this.#wires.values()].map((wire) => wire.close())));
  }

  listen(address: string, target: HostPort): void {
    this.#targets.set(address, target);
  }

  /** What `from` uses when it connects to `address`. */
  async between(from: string, address: string): Promise<LossyProxy> {
    const key = `${from} ${address}`;
    const known = this.#wires.get(key);
    if (known !== undefined) return known;
    const target = this.#targets.get(address);
    if (target === undefined) throw new Error(`nobody listens at ${address}`);
    const wire = await LossyProxy.start(formatHostPort(target));
    this.#wires.set(key, wire);
    return wire;
  }

  /** Lays the wire anew: the node at `address` was started again, and is elsewhere now. */
  async relay(from: string, address: string): Promise<void> {
    const key = `${from} ${address}`;
    await this.#wires.get(key)?.close();
    this.#wires.delete(key);
    await this.between(from, address);
  }

  /** Where `from` connects to for `address`; only after `between`. */
  resolve(from: string, address: HostPort): HostPort {
    const wire = this.#wires.get(`${from} ${formatHostPort(address)}`);
    if (wire === undefined)
      throw new ExoError("peer_unreachable", `${from} has no wire to ${formatHostPort(address)}.`);
    const [host = "", port] = wire.address.split(":");
    return { host, port: Number(port) };
  }

  get context(): TestContext {
    return this.#context;
  }
}

export interface MemberOptions {
  /** Default: the address's host. */
  readonly id?: string;
  readonly name?: string;
  /** Of this machine's clock: milliseconds from the real time. */
  readonly clockOff?: number;
  /** Further addresses that it tells of. */
  readonly addresses?: readonly string[];
  readonly logger?: Logger;
}

/** A node as far as membership goes: real gRPC, no model. */
export class TestMember {
  readonly membership: Membership;
  readonly id: string;
  /** As others know it. */
  readonly address: HostPort;
  readonly #wires: Wires;
  readonly #name: string;
  readonly #addresses: readonly string[];
  readonly #instance: string;
  #server: TestNode | null = null;

  private constructor(wires: Wires, address: string, options: MemberOptions) {
    const [host = "", port] = address.split(":");
    this.#wires = wires;
    this.address = { host, port: Number(port) };
    this.id = options.id ?? host;
    this.#name = options.name ?? `node-${this.id}`;
    this.#addresses = [address, ...(options.addresses ?? [])];
    instances += 1;
    this.#instance = `start-${instances}`;
    this.membership = new Membership({
      hello: () => this.hello(),
      record: () => this.#record(),
      connect: (peer) => this.#connect(peer),
      ownAddress: () => this.address,
      heartbeatMs: HEARTBEAT_MS,
      missesUntilGone: 3,
      // As for real nodes: a busy machine answers late, however often it is asked.
      silenceMs: 650,
      logger: options.logger ?? silentLogger,
      clock: shifted(options.clockOff ?? 0),
    });
  }

  static async start(wires: Wires, address: string, options: MemberOptions = {}): Promise<TestMember> {
    const member = new TestMember(wires, address, options);
    const server = await startNode(wires.context, {
      service: {
        hello: async (peer) => {
          await member.membership.introduced(peer, callerAddress(peer));
          return member.hello();
        },
        health: async () => ({ record: member.membership.ownRecord(), uptimeSeconds: 0 }),
        gossip: (message) => member.membership.gossip(message),
      },
    });
    member.#server = server;
    for (const one of member.#addresses) wires.listen(one, server.address);
    await member.membership.start();
    wires.context.after(() => member.stop());
    return member;
  }

  hello(): NodeHello {
    const { host, port } = this.address;
    // A test's peers all call from the loopback interface: the host that they would be seen at stands in the version.
    return {
      ...BUILD,
      nodeId: this.id,
      name: this.#name,
      version: host,
      capabilities: [],
      grpcPort: port,
      timeMs: systemClock.wall(),
      instance: this.#instance,
    };
  }

  /** As when discovery finds `other`. */
  async meets(other: TestMember): Promise<void> {
    await this.membership.introduced(other.hello(), other.address);
  }

  find(other: TestMember): Member | null {
    return this.membership.find(other.id);
  }

  async stop(): Promise<void> {
    await this.membership.stop();
    await this.#server?.stop();
  }

  #record() {
    return sampleRecord({
      id: this.id,
      name: this.#name,
      addresses: [...this.#addresses],
      knows: this.membership.alive().map(({ id }) => id),
    });
  }

  #connect(address: HostPort): PeerClient {
    return new ControlClient({
      peer: this.#wires.resolve(this.address.host, address),
      credentials: plaintextCredentials(),
      caller: { ...BUILD, nodeId: this.id },
    });
  }
}

let instances = 0;

function callerAddress({ version, grpcPort }: NodeHello): HostPort {
  return { host: version, port: grpcPort };
}

function shifted(milliseconds: number): Clock {
  return { monotonic: systemClock.monotonic, wall: () => systemClock.wall() + milliseconds };
}

/** Wires from everybody to everybody, at each one's addresses. */
export async function connectAll(wires: Wires, ...members: readonly (readonly string[])[]): Promise<void> {
  for (const [from = ""] of members) {
    for (const addresses of members) {
      for (const address of addresses) await wires.between(from.split(":")[0] ?? "", address);
    }
  }
}
