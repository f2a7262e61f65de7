import { once as nextEvent } from "node:events";
import { type AddressInfo, connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { HostPort } from "../../src/config/address.js";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger, systemClock } from "../../src/core/ports.js";
import { type NodeBuild, PROTOCOL_VERSION } from "../../src/transport/compatibility.js";
import { plaintextCredentials, type TransportCredentials } from "../../src/transport/credentials.js";
import type { FrameLimits, OutgoingFrame } from "../../src/transport/frame.js";
import { frameHeadRoom, largestFrameBytes } from "../../src/transport/frame.js";
import { encodeFrame } from "../../src/transport/frame-encode.js";
import { type HopClient, type HopClientOptions, openHop } from "../../src/transport/hop-client.js";
import { type HopRegistration, HopServer } from "../../src/transport/hop-server.js";
import type { NodeHello, NodeService } from "../../src/transport/node-service.js";
import type { PeerWatch } from "../../src/transport/peer-watch.js";
import { TransportServer } from "../../src/transport/transport-server.js";

export const BUILD: NodeBuild = {
  cluster: "default",
  protocolVersion: PROTOCOL_VERSION,
  llamaTag: "b1234",
  llamaCommit: "0123456789abcdef0123456789abcdef01234567",
};

export const LOOPBACK: HostPort = { host: "127.0.0.1", port: 0 };

export function hello(name: string, build: NodeBuild = BUILD): NodeHello {
  return { ...build, nodeId: `id-${name}`, name, version: "0.1.0", capabilities: ["stage"], grpcPort: 50_000, ...SELF };
}

const SELF = { timeMs: 1_800_000_000_000, instance: "k3j2h1g5" } as const;

/** A service that offers nothing but what a test gives it. */
export function serviceWith(methods: Partial<NodeService>): NodeService {
  const missing = (): never => {
    throw new ExoError("unsupported", "This test's node does not offer that.");
  };
  return {
    hello: missing,
    health: missing,
    gossip: missing,
    loadStage: missing,
    unloadStage: missing,
    drain: missing,
    placeModel: missing,
    stopModel: missing,
    readTraces: missing,
    generate: missing,
    embed: missing,
    tokenize: missing,
    detokenize: missing,
    applyTemplate: missing,
    probeModel: missing,
    offerModel: missing,
    hashModel: missing,
    readModel: missing,
    ...methods,
  };
}

export interface TestNode {
  readonly address: HostPort;
  readonly hops: HopServer;
  stop(): Promise<void>;
}

export interface TestNodeOptions {
  readonly service?: Partial<NodeService>;
  readonly build?: NodeBuild;
  readonly credentials?: TransportCredentials;
  /** Who falls silent, as far as its edges go. Default: nobody. */
  readonly watch?: PeerWatch;
}

/** A listening node, stopped when the test ends. */
export async function startNode(context: TestContext, options: TestNodeOptions = {}): Promise<TestNode> {
  const build = options.build ?? BUILD;
  const hops = new HopServer(build, silentLogger, options.watch);
  const server = new TransportServer({
    listen: LOOPBACK,
    credentials: options.credentials ?? plaintextCredentials(),
    build,
    service: serviceWith(options.service ?? {}),
    hops,
    logger: silentLogger,
  });
  await server.start();
  context.after(() => server.stop());
  return { address: server.address, hops, stop: () => server.stop() };
}

export const RING = { ringId: "ring", epoch: 7, fromStage: 0 } as const;

export interface ReceivedFrames {
  readonly frames: Uint8Array[];
  /** Settles with what `onClosed` was told; fails the test when it is told twice. */
  readonly closed: Promise<ExoError | null>;
  readonly registration: HopRegistration;
}

/** A receiver that takes every frame at once, or when `take` says. */
export function receiver(
  maxFrameBytes: number,
  overrides: Partial<HopRegistration> = {},
  take = async (_frame: Uint8Array): Promise<void> => {},
): ReceivedFrames {
  const frames: Uint8Array[] = [];
  const closed = once<ExoError | null>("the receiver's onClosed");
  return {
    frames,
    closed: closed.promise,
    registration: {
      ...RING,
      maxFrameBytes,
      window: 4,
      receiver: {
        onFrame(frame) {
          frames.push(frame);
          return take(frame);
        },
        onClosed: closed.call,
      },
      ...overrides,
    },
  };
}

export interface TestHop {
  readonly client: HopClient;
  readonly closed: Promise<ExoError | null>;
}

export async function connect(
  context: TestContext,
  address: HostPort,
  overrides: Partial<HopClientOptions> = {},
): Promise<TestHop> {
  const closed = once<ExoError | null>("the sender's onClosed");
  const client = await openHop({ ...hopOptions(address), onClosed: closed.call, ...overrides });
  context.after(() => client.close());
  return { client, closed: closed.promise };
}

export function hopOptions(address: HostPort): HopClientOptions {
  return {
    address,
    credentials: plaintextCredentials(),
    build: BUILD,
    edge: { ...RING, nodeId: "id-sender" },
    maxFrameBytes: 64 * 1024,
    window: 4,
    frameDeadlineMs: 5_000,
    openDeadlineMs: 5_000,
    logger: silentLogger,
    clock: systemClock,
    onClosed: () => {},
  };
}

/** A batch frame of `rows` rows whose hidden states are `fill`. */
export function batch(
  limits: FrameLimits,
  rows: number,
  microBatch = 0,
  epoch: number = RING.epoch,
  fill = 1,
): OutgoingFrame {
  const headRoom = frameHeadRoom(rows, 0, 0);
  const storage = new Uint8Array(headRoom + rows * limits.embeddingSize * 4).fill(fill, headRoom);
  const rowTable = new Uint8Array(rows * 12);
  return encodeFrame(
    {
      epoch,
      microBatch,
      fromStage: 0,
      activationType: "f32",
      embeddingSize: limits.embeddingSize,
      rows: rowTable,
      kvOperations: new Int32Array(0),
      computeMicroseconds: 0,
      queueMicroseconds: 0,
      stages: [],
    },
    storage,
    headRoom,
  );
}

export function limitsOf(embeddingSize: number, maxRows: number): FrameLimits & { readonly maxFrameBytes: number } {
  const limits = { embeddingSize, maxRows, maxKvOperations: 16, maxSequences: 4, maxStages: 4 };
  return { ...limits, maxFrameBytes: largestFrameBytes(limits) };
}

export interface Gate<T> {
  readonly promise: Promise<T>;
  readonly call: (value: T) => void;
}

/** A callback as a promise; a second call throws. */
export function once<T>(what: string): Gate<T> {
  let settle: ((value: T) => void) | null = null;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return {
    promise,
    call(value) {
      if (settle === null) throw new Error(`${what} was called twice`);
      settle(value);
      settle = null;
    },
  };
}

/** For `assert.rejects` and `assert.throws`. */
export function failsWith(code: string, ...words: string[]): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof ExoError) || error.code !== code) return false;
    return words.every((word) => error.message.includes(word));
  };
}

/** A TCP server that treats each connection as told. */
export async function tcpServer(context: TestContext, onConnection: (socket: Socket) => void): Promise<HostPort> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await nextEvent(server, "listening");
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

export interface Wire {
  readonly address: HostPort;
  /** TCP payload that went to the target so far. */
  bytesForward(): number;
  /** And that came back. */
  bytesBackward(): number;
  cut(): void;
}

/** A wire to `target` that can be cut. */
export async function wire(context: TestContext, target: HostPort): Promise<Wire> {
  const ends: Socket[] = [];
  let bytesForward = 0;
  let bytesBackward = 0;
  const address = await tcpServer(context, (socket) => {
    const onward = connectSocket(target.port, target.host);
    onward.on("error", () => {});
    ends.push(socket, onward);
    socket.on("data", (bytes) => {
      bytesForward += bytes.byteLength;
    });
    onward.on("data", (bytes) => {
      bytesBackward += bytes.byteLength;
    });
    socket.pipe(onward).pipe(socket);
  });
  return {
    address,
    bytesForward: () => bytesForward,
    bytesBackward: () => bytesBackward,
    cut: () => {
      for (const end of ends) end.resetAndDestroy();
    },
  };
}
