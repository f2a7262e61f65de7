import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Membership, type PeerClient } from "../../src/cluster/membership.js";
import type { NodeRecord } from "../../src/cluster/node-record.js";
import { ExoError } from "../../src/core/errors.js";
import { type Logger, silentLogger } from "../../src/core/ports.js";
import type { NodeHealth, NodeHello } from "../../src/transport/node-service.js";
import { BUILD } from "../integration/transport-harness.js";
import { sampleRecord } from "../support/sample-record.js";

const HEARTBEAT_MS = 500;
const STEP_MS = 50;
const PEER = { host: "10.0.0.2", port: 7 };

function helloOf(id: string): NodeHello {
  const rest = { version: "0.1.0", capabilities: [], grpcPort: 7, timeMs: 0 };
  return { ...BUILD, ...rest, nodeId: id, name: `node-${id}`, instance: `instance-of-${id}` };
}

/** The peer as the test has it: it answers at once, or its answers wait until it may speak again. */
class ScriptedPeer {
  speaks = true;
  readonly interrupted: ExoError[] = [];
  readonly #waiting: (() => void)[] = [];

  client(): PeerClient {
    const unused = (): never => {
      throw new ExoError("internal", "Nobody asks that here.");
    };
    return {
      hello: async () => helloOf("b"),
      health: (deadlineMs = 2000) => this.#health(deadlineMs),
      gossip: async () => ({ from: "b", digests: [], items: [], wanted: [] }),
      interrupt: (reason) => void this.interrupted.push(reason),
      close: () => {},
      ...{
        loadStage: unused,
        unloadStage: unused,
        drain: unused,
        placeModel: unused,
        stopModel: unused,
        readTraces: unused,
      },
      ...{ generate: unused, embed: unused, tokenize: unused, detokenize: unused, applyTemplate: unused },
      ...{ probeModel: unused, offerModel: unused, hashModel: unused, readModel: unused },
    };
  }

  speakAgain(): void {
    this.speaks = true;
    for (const answer of this.#waiting.splice(0)) answer();
  }

  #health(deadlineMs: number): Promise<NodeHealth> {
    const record: NodeRecord = sampleRecord({ id: "b", knows: ["a"] });
    const health = { record, uptimeSeconds: 1 };
    if (this.speaks) return Promise.resolve(health);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new ExoError("deadline_exceeded", "It is late.")), deadlineMs);
      this.#waiting.push(() => {
        clearTimeout(late);
        resolve(health);
      });
    });
  }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

async function start(context: TestContext, logger: Logger = silentLogger) {
  context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const time = { now: 1000 };
  const peer = new ScriptedPeer();
  const membership = new Membership({
    hello: () => helloOf("a"),
    record: () => sampleRecord({ id: "a", knows: membership.alive().map(({ id }) => id) }),
    connect: () => peer.client(),
    ownAddress: () => ({ host: "10.0.0.1", port: 7 }),
    heartbeatMs: HEARTBEAT_MS,
    missesUntilGone: 3,
    logger,
    clock: { monotonic: () => time.now, wall: () => time.now },
  });
  const silent: string[] = [];
  membership.watch.onSilent("b", ({ message }) => silent.push(message));
  const pass = async (milliseconds: number): Promise<void> => {
    for (const end = time.now + milliseconds; time.now < end; ) {
      time.now += STEP_MS;
      context.mock.timers.tick(STEP_MS);
      await settled();
    }
  };
  /** This process does not run for so long; its timers come late, before it hears anything. */
  const sleep = async (milliseconds: number): Promise<void> => {
    time.now += milliseconds;
    context.mock.timers.tick(milliseconds);
    await settled();
  };
  await membership.start();
  context.after(() => membership.stop());
  await membership.introduced(helloOf("b"), PEER);
  await settled();
  await pass(2000);
  assert.equal(membership.find("b")?.state, "alive");
  return { membership, peer, silent, pass, sleep };
}

describe("a member that falls silent", () => {
  test("is suspect, and what is under way with it ends, long before it is gone", async (t) => {
    const { membership, peer, silent, pass } = await start(t);
    peer.speaks = false;
    await pass(1300);
    assert.equal(silent.length, 1);
    assert.match(silent[0] ?? "", /^node-b fell silent: /);
    assert.equal(membership.find("b")?.state, "suspect");
    assert.deepEqual(
      peer.interrupted.map(({ code }) => code),
      ["stage_lost"],
    );
    await pass(6000);
    assert.equal(membership.find("b")?.state, "gone");
    assert.equal(silent.length, 1);
  });

  test("is alive again with the first answer that comes, though it comes late", async (t) => {
    const { membership, peer, pass } = await start(t);
    peer.speaks = false;
    await pass(1300);
    assert.equal(membership.find("b")?.state, "suspect");
    peer.speakAgain();
    await settled();
    assert.equal(membership.find("b")?.state, "alive");
  });

  test("is not silent as long as anything else comes of it", async (t) => {
    const { membership, peer, silent, pass } = await start(t);
    peer.speaks = false;
    for (let frame = 0; frame < 10; frame += 1) {
      await pass(400);
      membership.watch.heard("b");
    }
    assert.deepEqual(silent, []);
    await pass(1300);
    assert.equal(silent.length, 1);
  });

  test("has time to be heard when it was this node that did not listen", async (t) => {
    const { membership, peer, silent, pass, sleep } = await start(t);
    peer.speaks = false;
    await pass(HEARTBEAT_MS);
    await sleep(60_000);
    assert.deepEqual(silent, []);
    assert.equal(membership.find("b")?.state, "alive");
    peer.speakAgain();
    await pass(3000);
    assert.deepEqual(silent, []);
    assert.equal(membership.find("b")?.state, "alive");
  });

  test("is told of to those who still want to know", async (t) => {
    const { membership, peer, pass } = await start(t);
    const told: string[] = [];
    const unsubscribe = membership.watch.onSilent("b", () => told.push("left"));
    membership.watch.onSilent("b", () => told.push("stayed"));
    unsubscribe();
    peer.speaks = false;
    await pass(1300);
    assert.deepEqual(told, ["stayed"]);
  });
});
