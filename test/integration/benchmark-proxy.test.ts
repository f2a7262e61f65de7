import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { DelayProxy } from "../../benchmarks/network/delay-proxy.js";
import { ascending, quantile } from "../../src/core/statistics.js";

const HOST = "127.0.0.1";
const ANY = { host: HOST, port: 0 };
const ONE_WAY_MS = 5;
/** Clocks of threads are read to the microsecond. */
const RESOLUTION_MS = 0.01;

/** Resolves when the connection is gone, in order or not. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on("error", () => {});
    socket.once("close", () => resolve());
  });
}

describe("the delay proxy", () => {
  let server: Server;
  let target = ANY;

  before(async () => {
    server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => socket.pipe(socket));
    server.listen(0, HOST);
    await once(server, "listening");
    target = { host: HOST, port: z.object({ port: z.int() }).parse(server.address()).port };
  });

  after(async () => {
    server.close();
    await once(server, "close");
  });

  async function open(proxy: DelayProxy): Promise<Socket> {
    const socket = connect({ ...proxy.address, noDelay: true });
    await once(socket, "connect");
    return socket;
  }

  test("an echo takes twice the delay, never less", async (context) => {
    const proxy = await DelayProxy.open(ANY, target, { oneWayMs: ONE_WAY_MS });
    const socket = await open(proxy);
    const late: number[] = [];
    for (let round = 0; round < 40; round += 1) {
      const begun = performance.now();
      socket.write("x");
      await once(socket, "data");
      late.push(performance.now() - begun - 2 * ONE_WAY_MS);
    }
    socket.destroy();
    await proxy.close();
    const sorted = ascending(late);
    context.diagnostic(
      `late by ${quantile(sorted, 0.5).toFixed(3)} ms (median), ${quantile(sorted, 0.95).toFixed(3)} ms (p95)`,
    );
    assert.ok(quantile(sorted, 0) >= -RESOLUTION_MS, `an echo came ${-quantile(sorted, 0)} ms too early`);
  });

  test("bytes and the end of a stream arrive as they were sent, over several connections at once", async () => {
    const proxy = await DelayProxy.open(ANY, target, { oneWayMs: 2 });
    const sent = [1, 2, 3].map((count) => randomBytes(count * 100_000));
    const received = await Promise.all(
      sent.map(async (bytes) => {
        const socket = await open(proxy);
        socket.end(bytes);
        return buffer(socket);
      }),
    );
    await proxy.close();
    received.forEach((bytes, index) => {
      assert.ok(bytes.equals(sent[index] ?? Buffer.alloc(0)));
    });
  });

  test("a cap holds bytes back", async () => {
    const proxy = await DelayProxy.open(ANY, target, { oneWayMs: 0, bytesPerSecond: 1_000_000 });
    const socket = await open(proxy);
    const begun = performance.now();
    socket.end(randomBytes(50_000));
    const bytes = await buffer(socket);
    await proxy.close();
    assert.equal(bytes.byteLength, 50_000);
    assert.ok(performance.now() - begun >= 50, "50 kB at 1 MB/s take 50 ms");
  });

  test("a target that is not there ends the connection, and the proxy lives on", async () => {
    const gone = createServer();
    gone.listen(0, HOST);
    await once(gone, "listening");
    const { port } = z.object({ port: z.int() }).parse(gone.address());
    gone.close();
    await once(gone, "close");
    const proxy = await DelayProxy.open(ANY, { host: HOST, port }, { oneWayMs: 1 });
    for (let round = 0; round < 2; round += 1) {
      await closeOf(connect(proxy.address));
    }
    await proxy.close();
  });

  test("closing it ends what is open", async () => {
    const proxy = await DelayProxy.open(ANY, target, { oneWayMs: 1000 });
    const socket = await open(proxy);
    socket.write("never echoed");
    const closed = closeOf(socket);
    await proxy.close();
    await closed;
    assert.ok(socket.destroyed);
  });
});
