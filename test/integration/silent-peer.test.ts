import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { formatHostPort, type HostPort, parseHostPort } from "../../src/config/address.js";
import { ExoError } from "../../src/core/errors.js";
import type { InferenceRequest } from "../../src/core/inference.js";
import { systemClock } from "../../src/core/ports.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import type { PeerWatch } from "../../src/transport/peer-watch.js";
import { LossyProxy } from "../support/lossy-proxy.js";
import { BUILD, batch, connect, failsWith, limitsOf, once, RING, receiver, startNode } from "./transport-harness.js";

const LIMITS = limitsOf(64, 8);

const REQUEST: InferenceRequest = {
  id: "cmpl-1",
  model: "demo",
  input: { kind: "text", prompt: "Once" },
  sampling: {},
  maxTokens: 16,
  stop: [],
  logprobs: 0,
};

/** A link to `target` that can fall silent. */
async function linkTo(context: TestContext, target: HostPort): Promise<{ link: LossyProxy; address: HostPort }> {
  const link = await LossyProxy.start(formatHostPort(target));
  context.after(() => link.close());
  const address = parseHostPort(link.address, 0);
  assert.ok(address !== null);
  return { link, address };
}

/** Says who is silent when the test does. */
class ToldWatch implements PeerWatch {
  readonly heardOf: string[] = [];
  readonly #listeners = new Map<string, (reason: ExoError) => void>();

  heard(nodeId: string): void {
    this.heardOf.push(nodeId);
  }

  onSilent(nodeId: string, listener: (reason: ExoError) => void): () => void {
    this.#listeners.set(nodeId, listener);
    return () => this.#listeners.delete(nodeId);
  }

  /** As if everybody answered everything at once. */
  wellAt(): number {
    return systemClock.monotonic();
  }

  get watched(): readonly string[] {
    return [...this.#listeners.keys()];
  }

  tell(nodeId: string): void {
    this.#listeners.get(nodeId)?.(new ExoError("stage_lost", `${nodeId} fell silent.`));
  }
}

describe("a hop over which nothing comes back", () => {
  test("ends at its sender though no frame is under way", async (t) => {
    const node = await startNode(t);
    const { link, address } = await linkTo(t, node.address);
    node.hops.register(receiver(LIMITS.maxFrameBytes).registration);
    const { client, closed } = await connect(t, address, { frameDeadlineMs: 600_000, watch: new ToldWatch() });
    await client.send(batch(LIMITS, 1));
    link.hold();
    const error = await closed;
    assert.equal(error?.code, "peer_unreachable");
    assert.match(error?.message ?? "", /fell silent/);
  });

  test("stays while its receiver computes and says only that it is there", async (t) => {
    const node = await startNode(t);
    const taken = once<void>("the end of computing");
    const inbound = receiver(LIMITS.maxFrameBytes, {}, () => taken.promise);
    node.hops.register(inbound.registration);
    const watch = new ToldWatch();
    const { client } = await connect(t, node.address, { watch, nextNode: "next" });
    await client.send(batch(LIMITS, 1));
    // Beats: no frame is taken meanwhile.
    while (watch.heardOf.length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(client.stats().framesInFlight, 1);
    taken.call();
    await client.close();
  });
});

describe("an edge of a node that falls silent", () => {
  test("ends at once at its sender, which watches it as long as it is open", async (t) => {
    const node = await startNode(t);
    const inbound = receiver(LIMITS.maxFrameBytes);
    node.hops.register(inbound.registration);
    const watch = new ToldWatch();
    const { client, closed } = await connect(t, node.address, { watch, nextNode: "next" });
    assert.deepEqual(watch.watched, ["next"]);
    watch.tell("next");
    assert.equal((await closed)?.message, "next fell silent.");
    assert.deepEqual(watch.watched, []);
    await assert.rejects(client.send(batch(LIMITS, 1)), failsWith("stage_lost", "fell silent"));
  });

  test("ends at once at its receiver, and its frames were signs of life", async (t) => {
    const watch = new ToldWatch();
    const node = await startNode(t, { watch });
    const inbound = receiver(LIMITS.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { client, closed } = await connect(t, node.address);
    await client.send(batch(LIMITS, 1));
    while (watch.heardOf.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([...new Set(watch.heardOf)], ["id-sender"]);
    watch.tell("id-sender");
    assert.equal((await inbound.closed)?.message, "id-sender fell silent.");
    assert.equal((await closed)?.code, "stage_lost");
    assert.deepEqual(watch.watched, []);
  });

  test("is heard of with each part of a frame that comes", async (t) => {
    const watch = new ToldWatch();
    const node = await startNode(t, { watch });
    const { link, address } = await linkTo(t, node.address);
    const limits = limitsOf(4096, 512);
    const inbound = receiver(limits.maxFrameBytes);
    node.hops.register(inbound.registration);
    const { client } = await connect(t, address, { maxFrameBytes: limits.maxFrameBytes });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const heardOf = watch.heardOf.length;
    link.passOnly(1024 * 1024);
    const sent = client.send(batch(limits, 512));
    while (watch.heardOf.length === heardOf) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(inbound.frames.length, 0);
    link.passAll();
    await sent;
    await client.close();
    assert.equal(inbound.frames.length, 1);
  });

  test("may be opened anew in a later epoch, and stale frames do not come through", async (t) => {
    const node = await startNode(t);
    const { link, address } = await linkTo(t, node.address);
    const before = receiver(LIMITS.maxFrameBytes);
    const old = node.hops.register(before.registration);
    const { closed } = await connect(t, address, { watch: new ToldWatch() });
    link.hold();
    old.close(new ExoError("stage_lost", "It was given up."));
    const after = receiver(LIMITS.maxFrameBytes, { epoch: RING.epoch + 1 });
    node.hops.register(after.registration);
    await closed;
    link.release();
    await assert.rejects(connect(t, address), failsWith("stale_epoch"));
    assert.equal(after.frames.length, 0);
  });
});

describe("what is under way with a node that falls silent", () => {
  test("ends with the reason, but for the question whether it is there", async (t) => {
    const answer = once<void>("the answer");
    const node = await startNode(t, {
      service: {
        health: async () => {
          await answer.promise;
          return { record: { id: "b" }, uptimeSeconds: 1 };
        },
        placeModel: () => new Promise(() => {}),
        generate: async function* (_request, signal) {
          yield { type: "started", promptTokens: 1, cachedTokens: 0 };
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("left"))));
        },
      },
    });
    const client = new ControlClient({
      peer: node.address,
      credentials: plaintextCredentials(),
      caller: { ...BUILD, nodeId: "id-caller" },
    });
    t.after(() => client.close());
    const stream = client.generate(REQUEST, new AbortController().signal)[Symbol.asyncIterator]();
    const health = client.health();
    const placed = client.placeModel({ ringId: "r", request: {}, askedBy: "a" });
    assert.equal((await stream.next()).value?.type, "started");
    client.interrupt(new ExoError("stage_lost", "b fell silent."));
    await assert.rejects(placed, failsWith("stage_lost", "b fell silent"));
    await assert.rejects(stream.next(), failsWith("stage_lost", "b fell silent"));
    answer.call();
    assert.equal((await health).uptimeSeconds, 1);
  });
});
