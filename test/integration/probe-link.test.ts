import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Client, Metadata } from "@grpc/grpc-js";
import { DelayProxy } from "../../benchmarks/network/delay-proxy.js";
import type { HostPort } from "../../src/config/address.js";
import { systemClock } from "../../src/core/ports.js";
import type { ModelSpeed } from "../../src/planning/speeds.js";
import { measureLink } from "../../src/runtime/probe/link-measure.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { openCredentials, plaintextCredentials } from "../../src/transport/credentials.js";
import { EchoClient, type EchoOptions } from "../../src/transport/echo-client.js";
import type { ProbeModelRequest } from "../../src/transport/node-service.js";
import { BUILD, failsWith, LOOPBACK, once, startNode, tcpServer } from "./transport-harness.js";

const ROW_BYTES = 16_384;
const ONE_WAY_MS = 10;

function echo(context: TestContext, address: HostPort, change: Partial<EchoOptions> = {}): EchoClient {
  const client = new EchoClient({
    address,
    credentials: plaintextCredentials(),
    caller: { ...BUILD, nodeId: "id-caller" },
    clock: systemClock,
    deadlineMs: 5_000,
    ...change,
  });
  context.after(() => client.close());
  return client;
}

describe("a link over gRPC", () => {
  test("has a time and a rate", async (context) => {
    const node = await startNode(context);
    const { seconds, bytesPerSecond } = await measureLink(echo(context, node.address), ROW_BYTES);
    context.diagnostic(`${(seconds * 1e6).toFixed(0)} µs one way, ${(bytesPerSecond / 1e9).toFixed(2)} GB/s`);
    assert.ok(seconds > 0 && seconds < 1);
    assert.ok(bytesPerSecond > 0);
  });

  test("works encrypted too", async (context) => {
    const credentials = await openCredentials();
    const node = await startNode(context, { credentials });
    const client = echo(context, node.address, { credentials });
    assert.ok((await client.exchange(100_000)) > 0);
  });

  test("shows the delay of the way", async (context) => {
    const node = await startNode(context);
    const proxy = await DelayProxy.open(LOOPBACK, node.address, { oneWayMs: ONE_WAY_MS });
    context.after(() => proxy.close());
    const { seconds } = await measureLink(echo(context, proxy.address), ROW_BYTES);
    // Never less; how much more is this machine's other work, so the bound is wide.
    assert.ok(seconds * 1000 >= ONE_WAY_MS * 0.99, `${seconds * 1000} ms`);
    assert.ok(seconds * 1000 < ONE_WAY_MS * 10, `${seconds * 1000} ms`);
  });

  test("shows the rate of the way, whatever its delay", async (context) => {
    const node = await startNode(context);
    for (const [oneWayMs, rate] of [
      [1, 4_000_000],
      [25, 8_000_000],
    ] as const) {
      const proxy = await DelayProxy.open(LOOPBACK, node.address, { oneWayMs, bytesPerSecond: rate });
      context.after(() => proxy.close());
      const { bytesPerSecond } = await measureLink(echo(context, proxy.address), ROW_BYTES);
      // Never much more than it lets through; how much less is this machine's other work, so that bound is wide.
      assert.ok(bytesPerSecond < rate * 1.2 && bytesPerSecond > rate / 5, `${bytesPerSecond} B/s over ${oneWayMs} ms`);
    }
  });

  test("is as fast with a delay as without where nothing else slows it", async (context) => {
    const node = await startNode(context);
    const proxy = await DelayProxy.open(LOOPBACK, node.address, { oneWayMs: ONE_WAY_MS });
    context.after(() => proxy.close());
    const { bytesPerSecond } = await measureLink(echo(context, proxy.address), ROW_BYTES);
    context.diagnostic(`${(bytesPerSecond / 1e6).toFixed(0)} MB/s over ${ONE_WAY_MS} ms`);
    // One message of 256 KiB at a time would be 13 MB/s, and a window of 64 KiB 3 MB/s.
    assert.ok(bytesPerSecond > 20_000_000, `${bytesPerSecond} B/s`);
  });

  test("answers messages in turn that follow each other without waiting", async (context) => {
    const node = await startNode(context);
    const proxy = await DelayProxy.open(LOOPBACK, node.address, { oneWayMs: 100 });
    context.after(() => proxy.close());
    const client = echo(context, proxy.address);
    await client.exchange(1);
    const begun = performance.now();
    const answered: number[] = [];
    await Promise.all([1000, 1, 100_000, 2, 3].map((bytes) => client.exchange(bytes).then(() => answered.push(bytes))));
    assert.ok(performance.now() - begun < 5 * 200, "they waited for each other");
    assert.deepEqual(answered, [1000, 1, 100_000, 2, 3]);
    const cut = Promise.allSettled([1, 1, 1].map((bytes) => client.exchange(bytes)));
    client.close();
    assert.deepEqual(
      (await cut).map(({ status }) => status),
      ["rejected", "rejected", "rejected"],
    );
  });

  test("to a node that is not there, or that says nothing, fails in time", async (context) => {
    const silent = await tcpServer(context, () => {});
    await assert.rejects(echo(context, silent, { deadlineMs: 50 }).exchange(1), failsWith("deadline_exceeded"));
    const gone = echo(context, { host: "127.0.0.1", port: 9 });
    await assert.rejects(gone.exchange(1), failsWith("peer_unreachable"));
    await assert.rejects(gone.exchange(1), failsWith("peer_unreachable"));
  });

  test("of another build is refused", async (context) => {
    const node = await startNode(context, { build: { ...BUILD, llamaCommit: "0".repeat(40) } });
    await assert.rejects(echo(context, node.address).exchange(1), failsWith("peer_incompatible"));
  });

  test("ends with the node", async (context) => {
    const node = await startNode(context);
    const client = echo(context, node.address);
    await client.exchange(1);
    const ended = assert.rejects(
      client
        .exchange(1)
        .then(() => client.exchange(1))
        .then(() => poll(client)),
      (error) => {
        return failsWith("stage_lost")(error) || failsWith("peer_unreachable")(error);
      },
    );
    await node.stop();
    await ended;
  });

  test("takes no message beyond its limit, and lives on", async (context) => {
    const node = await startNode(context);
    const channel = new Client(`${node.address.host}:${node.address.port}`, plaintextCredentials().channel);
    context.after(() => channel.close());
    const metadata = new Metadata();
    for (const [key, value] of [
      ["exo-cluster", BUILD.cluster],
      ["exo-protocol", String(BUILD.protocolVersion)],
      ["exo-llama-tag", BUILD.llamaTag],
      ["exo-llama-commit", BUILD.llamaCommit],
      ["exo-node", "id-caller"],
    ] as const) {
      metadata.set(key, value);
    }
    const asIs = (bytes: Buffer): Buffer => bytes;
    const stream = channel.makeBidiStreamRequest("/exo.v1.Node/Echo", asIs, asIs, metadata);
    const failed = once<Error>("error");
    stream.on("error", failed.call);
    stream.on("data", () => {});
    // Field 2, 2 MiB.
    const length = 2 * 1024 * 1024;
    stream.write(Buffer.concat([Buffer.from([0x12, 0x80, 0x80, 0x80, 0x01]), Buffer.alloc(length)]));
    assert.match((await failed.promise).message, /was not echoed/);
    assert.ok((await echo(context, node.address).exchange(1024)) > 0);
  });
});

async function poll(client: EchoClient): Promise<never> {
  for (;;) await client.exchange(1);
}

describe("asking a peer what a model takes there", () => {
  const request: ProbeModelRequest = {
    model: "demo",
    cores: 3,
    microBatchSize: 512,
    kvTypeK: "f16",
    kvTypeV: "q8_0",
    flashAttention: "off",
    refresh: true,
  };
  const speed: ModelSpeed = {
    kinds: [
      {
        passes: [
          { rows: 1, seconds: 0.001 },
          { rows: 512, seconds: 0.25 },
        ],
        perCachedToken: 1e-7,
        perCachedTokenOfMany: 1e-7,
      },
    ],
    kindOfLayer: [0, 0, 0],
    output: [{ rows: 1, seconds: 0.002 }],
    perPass: 1e-5,
  };
  const NEVER = new AbortController().signal;

  function clientOf(context: TestContext, address: HostPort): ControlClient {
    const caller = { ...BUILD, nodeId: "id-caller" };
    const client = new ControlClient({ peer: address, credentials: plaintextCredentials(), caller });
    context.after(() => client.close());
    return client;
  }

  test("brings request and answer over unchanged", async (context) => {
    const asked: ProbeModelRequest[] = [];
    const probeModel = async (wanted: ProbeModelRequest): Promise<ModelSpeed> => {
      asked.push(wanted);
      return speed;
    };
    const node = await startNode(context, { service: { probeModel } });
    assert.deepEqual(await clientOf(context, node.address).probeModel(request, NEVER), speed);
    assert.deepEqual(asked, [request]);
  });

  test("is cancelled there when it is given up here", async (context) => {
    const began = once<void>("began");
    const ended = once<void>("ended");
    const probeModel = (_wanted: ProbeModelRequest, signal: AbortSignal): Promise<ModelSpeed> =>
      new Promise(() => {
        signal.addEventListener("abort", () => ended.call());
        began.call();
      });
    const node = await startNode(context, { service: { probeModel } });
    const abort = new AbortController();
    const answer = clientOf(context, node.address).probeModel(request, abort.signal);
    answer.catch(() => {});
    await began.promise;
    abort.abort();
    await assert.rejects(answer, failsWith("cancelled"));
    await ended.promise;
    await assert.rejects(clientOf(context, node.address).probeModel(request, abort.signal), failsWith("cancelled"));
  });

  test("refuses what is no request and what is no answer", async (context) => {
    const wrong: readonly ModelSpeed[] = [
      { ...speed, kindOfLayer: [1] },
      { ...speed, kinds: [] },
      { ...speed, perPass: -1 },
      { ...speed, output: [{ rows: 1, seconds: Number.NaN }] },
      {
        ...speed,
        output: [
          { rows: 2, seconds: 1 },
          { rows: 1, seconds: 2 },
        ],
      },
      { ...speed, output: [{ rows: 1, seconds: 1e9 }] },
    ];
    for (const answer of wrong) {
      const node = await startNode(context, { service: { probeModel: async () => answer } });
      await assert.rejects(clientOf(context, node.address).probeModel(request, NEVER), failsWith("peer_incompatible"));
    }
    const node = await startNode(context, { service: { probeModel: async () => speed } });
    for (const change of [{ model: "" }, { microBatchSize: 0 }]) {
      const asked = clientOf(context, node.address).probeModel({ ...request, ...change }, NEVER);
      await assert.rejects(asked, failsWith("invalid_argument"));
    }
  });
});
