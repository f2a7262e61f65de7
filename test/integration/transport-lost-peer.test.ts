import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import type { HostPort } from "../../src/config/address.js";
import { silentLogger } from "../../src/core/ports.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { openCredentials, plaintextCredentials } from "../../src/transport/credentials.js";
import { openHop } from "../../src/transport/hop-client.js";
import { HopServer } from "../../src/transport/hop-server.js";
import { TransportServer } from "../../src/transport/transport-server.js";
import {
  BUILD,
  batch,
  connect,
  failsWith,
  hopOptions,
  limitsOf,
  receiver,
  serviceWith,
  startNode,
  tcpServer,
  wire,
} from "./transport-harness.js";

const LIMITS = limitsOf(64, 8);

const SPEAKERS: Record<string, (socket: Socket) => void> = {
  "plain HTTP": (socket) =>
    socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")),
  "only garbage": (socket) => socket.write(Buffer.alloc(4096, 0xaa)),
  "nothing and hangs up": (socket) => socket.destroy(),
};

function controlClient(context: TestContext, peer: HostPort, healthMs = 5_000): ControlClient {
  const client = new ControlClient({
    peer,
    credentials: plaintextCredentials(),
    caller: { ...BUILD, nodeId: "id-caller" },
    deadlines: { healthMs },
  });
  context.after(() => client.close());
  return client;
}

describe("a hop whose link is lost", () => {
  test("tells each side once", async (t) => {
    const node = await startNode(t);
    const link = await wire(t, node.address);
    const inbound = receiver(LIMITS.maxFrameBytes, {}, () => new Promise(() => {}));
    node.hops.register(inbound.registration);
    const { client, closed } = await connect(t, link.address, { window: 1 });
    await client.send(batch(LIMITS, 1));
    const waiting = client.send(batch(LIMITS, 1));
    link.cut();
    await assert.rejects(waiting, failsWith("peer_unreachable"));
    assert.equal((await closed)?.code, "peer_unreachable");
    assert.equal((await closed)?.retryable, true);
    assert.equal((await inbound.closed)?.code, "stage_lost");
    await assert.rejects(client.send(batch(LIMITS, 1)), failsWith("peer_unreachable"));
  });

  test("leaves the edge free for a new stream", async (t) => {
    const node = await startNode(t);
    const link = await wire(t, node.address);
    const first = receiver(LIMITS.maxFrameBytes);
    const handle = node.hops.register(first.registration);
    const { closed } = await connect(t, link.address);
    link.cut();
    await Promise.all([closed, first.closed]);
    handle.close();
    const second = receiver(LIMITS.maxFrameBytes);
    node.hops.register(second.registration);
    const { client } = await connect(t, node.address);
    await client.send(batch(LIMITS, 1));
    await client.close();
    assert.equal(second.frames.length, 1);
  });
});

describe("a peer that is not there", () => {
  test("is unreachable, by name", async (t) => {
    const address = await tcpServer(t, () => {});
    const free = { host: "127.0.0.1", port: await unusedPort() };
    await assert.rejects(openHop(hopOptions(free)), failsWith("peer_unreachable", `127.0.0.1:${free.port}`));
    await assert.rejects(controlClient(t, free).health(), failsWith("peer_unreachable", `127.0.0.1:${free.port}`));
    assert.notEqual(address.port, free.port);
  });

  for (const [what, speak] of Object.entries(SPEAKERS)) {
    test(`because what listens there speaks ${what}`, async (t) => {
      const address = await tcpServer(t, speak);
      await assert.rejects(openHop(hopOptions(address)), failsWith("peer_unreachable", String(address.port)));
      await assert.rejects(controlClient(t, address).health(), failsWith("peer_unreachable", String(address.port)));
    });
  }

  test("because it accepts connections and never answers", async (t) => {
    const address = await tcpServer(t, () => {});
    const opening = openHop({ ...hopOptions(address), openDeadlineMs: 80 });
    await assert.rejects(opening, failsWith("peer_unreachable", "80 ms"));
    await assert.rejects(controlClient(t, address, 80).health(), failsWith("peer_unreachable"));
  });

  test("because only one side encrypts", async (t) => {
    const encrypted = await startNode(t, { credentials: await openCredentials() });
    await assert.rejects(openHop(hopOptions(encrypted.address)), failsWith("peer_unreachable", "encryption"));
    const plain = await startNode(t);
    const opening = openHop({ ...hopOptions(plain.address), credentials: await openCredentials() });
    await assert.rejects(opening, failsWith("peer_unreachable", "encryption"));
  });
});

describe("where to listen", () => {
  test("a port in use is named", async (t) => {
    const taken = await tcpServer(t, () => {});
    await assert.rejects(serverAt(taken).start(), failsWith("port_in_use", `127.0.0.1:${taken.port}`));
  });

  test("an address of another machine is refused", async () => {
    const server = serverAt({ host: "192.0.2.1", port: 0 }, await openCredentials());
    await assert.rejects(server.start(), failsWith("invalid_argument", "192.0.2.1"));
  });

  test("nothing unencrypted leaves this machine", async () => {
    const outside = { host: "192.0.2.1", port: 50_000 };
    await assert.rejects(serverAt(outside).start(), failsWith("invalid_argument", "--open"));
    await assert.rejects(openHop(hopOptions(outside)), failsWith("invalid_argument", "--open"));
  });

  test("a server that stopped frees its port, and may be stopped again", async () => {
    const first = serverAt({ host: "127.0.0.1", port: 0 });
    await first.start();
    await first.stop();
    await first.stop();
    const second = serverAt(first.address);
    await second.start();
    await second.stop();
  });
});

function serverAt(listen: HostPort, credentials = plaintextCredentials()): TransportServer {
  const hops = new HopServer(BUILD, silentLogger);
  return new TransportServer({
    listen,
    credentials,
    build: BUILD,
    service: serviceWith({}),
    hops,
    logger: silentLogger,
  });
}

async function unusedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
