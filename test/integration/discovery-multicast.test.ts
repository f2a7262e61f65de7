import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { describe, test } from "node:test";
import type { Packet } from "dns-packet";
import { silentLogger, systemClock } from "../../src/core/ports.js";
import { pause } from "../../src/core/waiting.js";
import { LocalInterfaces } from "../../src/discovery/interfaces.js";
import { MdnsSource } from "../../src/discovery/mdns-source.js";
import { multicastOn, type OpenMulticast } from "../../src/discovery/multicast-socket.js";
import type { Offer } from "../../src/discovery/peer-source.js";
import { eventually } from "../support/eventually.js";

/** Not that of multicast DNS, so that nobody on the machine or its network hears of the test. */
const PORT = 22_000 + Math.floor(Math.random() * 20_000);

const LOOPBACK = { family: 4, via: "127.0.0.1" } as const;

/** Why the system lets nobody talk to a group on the loopback interface, or `false`. */
async function whyNot(open: OpenMulticast): Promise<string | false> {
  try {
    const heard: Packet[] = [];
    const socket = await open(LOOPBACK, { onPacket: (packet) => heard.push(packet), onError: () => {} });
    await socket.send({ type: "query", questions: [] });
    await eventually(async () => assert.ok(heard.length > 0), 2_000).finally(() => socket.close());
    return false;
  } catch (thrown) {
    return `multicast on the loopback interface does not work here: ${String(thrown)}`;
  }
}

const skip = await whyNot(multicastOn(PORT));

describe("multicast DNS on the loopback interface", { skip }, () => {
  function node(name: string, offers: Offer[]): MdnsSource {
    const interfaces = new LocalInterfaces();
    return new MdnsSource({
      own: () => ({
        nodeId: `id-${name}`,
        instance: name,
        name,
        version: "0.1.0",
        protocolVersion: 1,
        cluster: "default",
        port: 52_416,
      }),
      interfaces: () => interfaces.list(),
      beyondLoopback: false,
      open: multicastOn(PORT),
      sink: { offer: (offer) => offers.push(offer) },
      sleep: async (milliseconds, signal) => {
        await pause(milliseconds, signal);
        signal.throwIfAborted();
      },
      clock: systemClock,
      logger: silentLogger,
    });
  }

  test("two nodes find each other, and one that stops says goodbye", async () => {
    const seenByA: Offer[] = [];
    const seenByB: Offer[] = [];
    const a = node("a", seenByA);
    const b = node("b", seenByB);
    await a.start();
    await b.start();
    await eventually(async () => {
      assert.deepEqual(seenByA[0]?.addresses, [{ host: "127.0.0.1", port: 52_416 }]);
      assert.deepEqual(seenByB[0]?.identity, { nodeId: "id-a", name: "a" });
    });
    assert.equal(a.report().state, "running");
    await b.stop();
    await eventually(async () => assert.deepEqual(seenByA.at(-1)?.addresses, []));
    await a.stop();
  });

  test("what is no DNS packet is passed over", async () => {
    const heard: Packet[] = [];
    const socket = await multicastOn(PORT)(LOOPBACK, {
      onPacket: (packet) => heard.push(packet),
      onError: assert.fail,
    });
    const stranger = createSocket("udp4");
    for (const bytes of [Buffer.alloc(0), Buffer.from("hello"), Buffer.alloc(1200, 0xff), Buffer.alloc(12, 0xc0)]) {
      await new Promise((resolve) => stranger.send(bytes, PORT, "127.0.0.1", resolve));
    }
    await socket.send({ type: "query", questions: [{ type: "PTR", name: "the-end.local" }] });
    await eventually(async () => assert.ok(heard.some(({ questions }) => questions?.[0]?.name === "the-end.local")));
    stranger.close();
    await socket.close();
  });
});

test("an interface that is not there is refused, and nothing stays open", async () => {
  const gone = { family: 4, via: "203.0.113.9" } as const;
  await assert.rejects(multicastOn(PORT)(gone, { onPacket: () => {}, onError: () => {} }));
});
