import assert from "node:assert/strict";
import { once as nextEvent } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { PROTOCOL_VERSION } from "../../src/transport/compatibility.js";
import { openCredentials } from "../../src/transport/credentials.js";
import { decodeFrame } from "../../src/transport/frame-decode.js";
import { openHop } from "../../src/transport/hop-client.js";
import { RECEIVE_WINDOW_BYTES } from "../../src/transport/limits.js";
import {
  BUILD,
  batch,
  connect,
  failsWith,
  hopOptions,
  limitsOf,
  once,
  RING,
  receiver,
  startNode,
  wire,
} from "./transport-harness.js";

const LIMITS = limitsOf(64, 8);

describe("hop stream", () => {
  test("delivers frames in order, as they were sent", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { client, closed } = await connect(t, node.address);
    await Promise.all(Array.from({ length: 100 }, (_, index) => client.send(batch(LIMITS, 1 + (index % 8), index))));
    await client.close();
    assert.equal(await closed, null);
    assert.equal(await inbound.closed, null);
    const decoded = inbound.frames.map((frame) => decodeFrame(frame, LIMITS));
    assert.deepEqual(
      decoded.map((frame) => frame.microBatch),
      Array.from({ length: 100 }, (_, index) => index),
    );
    const stats = client.stats();
    assert.equal(stats.framesSent, 100);
    assert.equal(stats.framesInFlight, 0);
  });

  test("delivers frames aligned, so that they are read in place", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { client } = await connect(t, node.address);
    for (let rows = 1; rows <= 8; rows += 1) await client.send(batch(LIMITS, rows));
    await client.close();
    for (const frame of inbound.frames) assert.equal(frame.byteOffset % 8, 0);
  });

  test("carries a frame of more than gRPC's default of 4 MiB", async (t) => {
    const limits = limitsOf(4096, 512);
    const node = await startNode(t);
    const inbound = receiver(limits.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { client } = await connect(t, node.address, { maxFrameBytes: limits.maxFrameBytes });
    await client.send(batch(limits, 512, 1, RING.epoch, 3));
    await client.send(batch(limits, 512, 2, RING.epoch, 5));
    await client.close();
    const [first, second] = inbound.frames.map((frame) => decodeFrame(frame, limits));
    assert.ok(first?.kind === "batch" && second?.kind === "batch");
    assert.equal(first.activations.byteLength, 8 * 1024 * 1024);
    assert.ok(first.activations.every((byte) => byte === 3));
    assert.ok(second.activations.every((byte) => byte === 5));
  });

  test("may have a whole prefill chunk under way on a link with a long round trip", async (t) => {
    const node = await startNode(t);
    const session = connectHttp2(`http://127.0.0.1:${node.address.port}`);
    t.after(() => session.destroy());
    while (session.remoteSettings.initialWindowSize !== RECEIVE_WINDOW_BYTES)
      await nextEvent(session, "remoteSettings");
    await new Promise((resolve) => session.ping(resolve));
    assert.equal(session.state.remoteWindowSize, RECEIVE_WINDOW_BYTES);
  });

  test("costs less than 100 bytes beside the hidden state of one decode step", async (t) => {
    for (const embeddingSize of [896, 2048, 4096]) {
      const limits = limitsOf(embeddingSize, 1);
      const node = await startNode(t);
      const link = await wire(t, node.address);
      node.hops.register(receiver(limits.maxFrameBytes, { window: 1 }).registration);
      const { client } = await connect(t, link.address);
      const before = link.bytesForward();
      for (let step = 0; step < 50; step += 1) await client.send(batch(limits, 1, step));
      await client.close();
      const extra = (link.bytesForward() - before) / 50 - 4 * embeddingSize;
      assert.ok(extra < 100, `${extra} bytes at ${embeddingSize} numbers`);
    }
  });

  test("works over TLS with credentials of another node", async (t) => {
    const node = await startNode(t, { credentials: await openCredentials() });
    const inbound = receiver(LIMITS.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { client } = await connect(t, node.address, { credentials: await openCredentials() });
    await client.send(batch(LIMITS, 2));
    await client.close();
    assert.equal(inbound.frames.length, 1);
  });

  test("has no more frames under way than the smaller window", async (t) => {
    const node = await startNode(t);
    const held: (() => void)[] = [];
    let arrived = once<void>("arrival");
    const inbound = receiver(LIMITS.maxFrameBytes, { window: 3 }, () => {
      if (held.length === 2) arrived.call();
      return new Promise((resolve) => held.push(resolve));
    });
    node.hops.register(inbound.registration);
    const { client } = await connect(t, node.address, { window: 8 });
    let sent = 0;
    const sends = Array.from({ length: 6 }, (_, index) => client.send(batch(LIMITS, 1, index)).then(() => sent++));
    await arrived.promise;
    await Promise.all(sends.slice(0, 3));
    assert.equal(sent, 3);
    assert.equal(client.stats().framesInFlight, 3);
    arrived = once("arrival");
    for (const take of held.splice(0)) take();
    await arrived.promise;
    assert.equal(inbound.frames.length, 6);
    for (const take of held.splice(0)) take();
    await client.close();
  });

  test("tells of frames together: many take few messages, and a lone one is not forgotten", async (t) => {
    const node = await startNode(t);
    const link = await wire(t, node.address);
    node.hops.register(receiver(LIMITS.maxFrameBytes, { window: 16 }).registration);
    const { client } = await connect(t, link.address, { window: 16 });
    const before = link.bytesBackward();
    for (let step = 0; step < 64; step += 1) await client.send(batch(LIMITS, 1, step));
    while (client.stats().framesInFlight > 0) await new Promise((resolve) => setImmediate(resolve));
    // 16 bytes and more for each message
    assert.ok(link.bytesBackward() - before < 32 * 16, `${link.bytesBackward() - before} bytes`);
    await client.send(batch(LIMITS, 1, 64));
    while (client.stats().framesInFlight > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test("takes frames that are settled out of order", async (t) => {
    const node = await startNode(t);
    const held: (() => void)[] = [];
    const arrived = once<void>("arrival");
    const inbound = receiver(LIMITS.maxFrameBytes, {}, () => {
      if (held.length === 2) arrived.call();
      return new Promise((resolve) => held.push(resolve));
    });
    node.hops.register(inbound.registration);
    const { client, closed } = await connect(t, node.address);
    await Promise.all([0, 1, 2].map((index) => client.send(batch(LIMITS, 1, index))));
    await arrived.promise;
    for (const take of held.reverse()) take();
    await client.close();
    assert.equal(await closed, null);
    assert.equal(client.stats().framesInFlight, 0);
  });
});

describe("hop stream refused", () => {
  test("names both protocol versions, and both llama.cpp versions", async (t) => {
    const node = await startNode(t);
    node.hops.register(receiver(LIMITS.maxFrameBytes).registration);
    const protocol = openHop({ ...hopOptions(node.address), build: { ...BUILD, protocolVersion: 99 } });
    await assert.rejects(protocol, failsWith("peer_incompatible", "99", String(PROTOCOL_VERSION)));
    const other = { ...BUILD, llamaTag: "b9999", llamaCommit: "fedcba9876543210fedcba9876543210fedcba98" };
    await assert.rejects(
      openHop({ ...hopOptions(node.address), build: other }),
      failsWith("peer_incompatible", "b9999", "fedcba987654", "b1234", "0123456789ab"),
    );
  });

  test("of an epoch that has passed", async (t) => {
    const node = await startNode(t);
    node.hops.register(receiver(LIMITS.maxFrameBytes).registration);
    const edge = { ...RING, epoch: 6, nodeId: "id-sender" };
    await assert.rejects(openHop({ ...hopOptions(node.address), edge }), failsWith("stale_epoch", "6", "7"));
  });

  test("of a ring nobody knows, after waiting for it", async (t) => {
    const node = await startNode(t);
    const opening = openHop({ ...hopOptions(node.address), openDeadlineMs: 120 });
    await assert.rejects(opening, failsWith("not_ready", "ring"));
  });

  test("but accepted when the next stage is ready in time", async (t) => {
    const node = await startNode(t);
    const opening = connect(t, node.address);
    await new Promise((resolve) => setImmediate(resolve));
    node.hops.register(receiver(LIMITS.maxFrameBytes).registration);
    const { client } = await opening;
    await client.send(batch(LIMITS, 1));
  });

  test("cannot be promised to two stages of one node", async (t) => {
    const node = await startNode(t);
    const handle = node.hops.register(receiver(LIMITS.maxFrameBytes).registration);
    const again = (): unknown => node.hops.register(receiver(LIMITS.maxFrameBytes).registration);
    assert.throws(again, failsWith("invalid_argument", "already"));
    handle.close();
    again();
  });

  test("when the edge already has one, which goes on", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { client } = await connect(t, node.address);
    await assert.rejects(openHop(hopOptions(node.address)), failsWith("invalid_argument", "already"));
    await client.send(batch(LIMITS, 1));
    await client.close();
    assert.equal(inbound.frames.length, 1);
  });
});

describe("hop stream cut", () => {
  test("by a frame of another epoch: both sides know why", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { client, closed } = await connect(t, node.address);
    await client.send(batch(LIMITS, 1, 0, 6));
    const [atSender, atReceiver] = await Promise.all([closed, inbound.closed]);
    assert.equal(atSender?.code, "stale_epoch");
    assert.equal(atReceiver?.code, "stale_epoch");
    assert.equal(atSender?.message, atReceiver?.message);
    assert.equal(inbound.frames.length, 0);
    await assert.rejects(client.send(batch(LIMITS, 1)), failsWith("stale_epoch"));
  });

  test("by a frame longer than the receiver's ring allows", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(1024);
    node.hops.register(inbound.registration);
    const { client, closed } = await connect(t, node.address);
    await client.send(batch(LIMITS, 8));
    assert.ok(failsWith("bad_frame", "length", "1024")(await closed));
    assert.equal((await inbound.closed)?.code, "bad_frame");
  });

  test("not by a frame longer than the sender's ring allows: it is not sent", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { client } = await connect(t, node.address, { maxFrameBytes: 1024 });
    await assert.rejects(client.send(batch(LIMITS, 8)), failsWith("bad_frame", "1024"));
    await client.send(batch(LIMITS, 1));
    await client.close();
    assert.equal(inbound.frames.length, 1);
  });

  test("by bytes that are no frame", async (t) => {
    const node = await startNode(t);
    for (const message of [
      new Uint8Array(0),
      new Uint8Array([0x12, 0x04, 1, 2, 3, 4]),
      new Uint8Array(64).fill(0xff),
    ]) {
      const inbound = receiver(LIMITS.maxFrameBytes);
      const handle = node.hops.register(inbound.registration);
      const { client, closed } = await connect(t, node.address);
      await client.send({ frame: message, message });
      assert.equal((await closed)?.code, "bad_frame");
      assert.equal((await inbound.closed)?.code, "bad_frame");
      handle.close();
    }
  });

  test("by the receiver's own error, which the sender gets as it is", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes, {}, async () => {
      throw new ExoError("out_of_memory", "The GPU is full: 100 % used, häßlich.", { retryable: true });
    });
    node.hops.register(inbound.registration);
    const { client, closed } = await connect(t, node.address);
    await client.send(batch(LIMITS, 1));
    const error = await closed;
    assert.equal(error?.code, "out_of_memory");
    assert.equal(error?.message, "The GPU is full: 100 % used, häßlich.");
    assert.equal(error?.retryable, true);
  });

  test("when a frame is not taken in time", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes, {}, () => new Promise(() => {}));
    node.hops.register(inbound.registration);
    const { client, closed } = await connect(t, node.address, { frameDeadlineMs: 50, window: 1 });
    await client.send(batch(LIMITS, 1));
    const waiting = client.send(batch(LIMITS, 1));
    await assert.rejects(waiting, failsWith("deadline_exceeded", "50 ms"));
    assert.equal((await closed)?.code, "deadline_exceeded");
    assert.equal((await inbound.closed)?.code, "stage_lost");
  });

  test("when the stage is unloaded", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes);
    const handle = node.hops.register(inbound.registration);
    const { client, closed } = await connect(t, node.address);
    await client.send(batch(LIMITS, 1));
    handle.close(new ExoError("stale_epoch", "The ring went on to epoch 8."));
    handle.close();
    assert.equal((await closed)?.message, "The ring went on to epoch 8.");
    assert.equal((await inbound.closed)?.code, "stale_epoch");
    await assert.rejects(client.send(batch(LIMITS, 1)), failsWith("stale_epoch"));
    await client.close();
  });

  test("when the node stops", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { closed } = await connect(t, node.address);
    await node.stop();
    assert.equal((await closed)?.code, "stage_lost");
    assert.equal((await inbound.closed)?.code, "stage_lost");
  });

  test("by a close: later frames are refused, earlier ones arrive", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { client, closed } = await connect(t, node.address, { window: 1 });
    const sends = [client.send(batch(LIMITS, 1)), client.send(batch(LIMITS, 1)), client.send(batch(LIMITS, 1))];
    const closing = client.close();
    await assert.rejects(client.send(batch(LIMITS, 1)), failsWith("cancelled"));
    await Promise.all([...sends, closing]);
    assert.equal(await closed, null);
    assert.equal(inbound.frames.length, 3);
  });
});
