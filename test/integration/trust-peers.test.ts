import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { type ConnectionOptions, connect as connectSecured, type TLSSocket } from "node:tls";
import { revoke } from "../../src/cluster/trust/change-cluster.js";
import { joinCluster } from "../../src/cluster/trust/join-cluster.js";
import { TrustStore } from "../../src/cluster/trust/trust-store.js";
import type { ExoError } from "../../src/core/errors.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { openCredentials, plaintextCredentials } from "../../src/transport/credentials.js";
import { openHop } from "../../src/transport/hop-client.js";
import { eventually } from "../support/eventually.js";
import {
  callerOf,
  configDirectory,
  founder,
  helloOf,
  inviteTo,
  joiner,
  startTrusted,
  type TrustedNode,
  type TrustedNodeOptions,
} from "../support/trust-cluster.js";
import {
  BUILD,
  batch,
  failsWith,
  hello,
  hopOptions,
  limitsOf,
  RING,
  receiver,
  startNode,
} from "./transport-harness.js";

interface Pair {
  readonly directory: string;
  readonly desk: TrustedNode;
  readonly attic: TrustedNode;
}

async function pair(context: TestContext, options: TrustedNodeOptions = {}): Promise<Pair> {
  const directory = await founder(context);
  const desk = await startTrusted(context, directory, options);
  const attic = await startTrusted(context, await joiner(context, { directory, node: desk }), { name: "attic" });
  return { directory, desk, attic };
}

describe("a node of a cluster with a secret", () => {
  test("refuses a node of another cluster in the handshake, and is refused by it", async (t) => {
    const { desk } = await pair(t);
    const stranger = await startTrusted(t, await founder(t, "home"));
    const seen = failsWith("unauthorized", "of another cluster or of none");
    await assert.rejects(callerOf(t, stranger, desk.address).hello(helloOf(stranger)), seen);
    await assert.rejects(callerOf(t, desk, stranger.address).hello(helloOf(desk)), seen);
    // One that does not mind whom it talks to is dropped all the same.
    const { key, certificates: cert } = stranger.trust.material();
    const careless = connectSecured({ ...desk.address, key, cert, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    careless.on("error", () => {}).resume();
    await once(careless, "close");
    await eventually(async () => {
      assert.ok(desk.refusals.some(({ reason, nodeId }) => reason.includes("another cluster") && nodeId === null));
    });
  });

  test("tells a node without a cluster how to join, before its message is read", async (t) => {
    let asked = 0;
    const service = {
      hello: async () => {
        asked += 1;
        return hello("desk");
      },
    };
    const { desk } = await pair(t, { service });
    const credentials = await openCredentials();
    const client = new ControlClient({ peer: desk.address, credentials, caller: { ...BUILD, nodeId: "id-open" } });
    t.after(() => client.close());
    await assert.rejects(
      client.hello(hello("open")),
      failsWith("unauthorized", "cluster with a secret", "cluster join"),
    );
    await assert.rejects(client.health(), failsWith("unauthorized", "cluster with a secret"));
    await assert.rejects(
      openHop({ ...hopOptions(desk.address), credentials }),
      failsWith("unauthorized", "cluster with a secret"),
    );
    assert.equal(asked, 0);
  });

  test("refuses plain text, and does not take it from others", async (t) => {
    const { desk } = await pair(t);
    const credentials = plaintextCredentials();
    const client = new ControlClient({ peer: desk.address, credentials, caller: { ...BUILD, nodeId: "id-plain" } });
    t.after(() => client.close());
    await assert.rejects(client.hello(hello("plain")), failsWith("peer_unreachable"));
    await eventually(async () => {
      assert.ok(desk.refusals.some(({ reason }) => reason.includes("does not encrypt")));
    });
    const plain = await startNode(t);
    await assert.rejects(
      callerOf(t, desk, plain.address).hello(helloOf(desk)),
      failsWith("unauthorized", "does not encrypt"),
    );
  });

  test("does not list who only looks whether the port is open", async (t) => {
    const { desk, attic } = await pair(t);
    const socket = connectSocket(desk.address.port, desk.address.host);
    await once(socket, "connect");
    socket.destroy();
    await callerOf(t, attic, desk.address).hello(helloOf(attic));
    assert.deepEqual(desk.refusals, []);
  });

  test("speaks TLS 1.3 only, and holds few connections of those who are not members", async (t) => {
    const { desk, attic } = await pair(t);
    const { host, port } = desk.address;
    const secured = async (options: ConnectionOptions): Promise<TLSSocket> => {
      const socket = connectSecured({ host, port, rejectUnauthorized: false, ALPNProtocols: ["h2"], ...options });
      t.after(() => socket.destroy());
      await once(socket, "secureConnect");
      return socket;
    };
    await assert.rejects(secured({ maxVersion: "TLSv1.2" }), /protocol version/i);
    const guests = await Promise.all(Array.from({ length: 40 }, () => secured({})));
    for (const guest of guests) guest.on("error", () => {}).resume();
    await eventually(async () => assert.ok(guests.filter(({ destroyed }) => !destroyed).length <= 32));
    assert.equal((await callerOf(t, attic, desk.address).hello(helloOf(attic))).nodeId, desk.id);
  });

  test("refuses a member that speaks in the name of another one", async (t) => {
    let asked = 0;
    const service = {
      gossip: async () => {
        asked += 1;
        return {};
      },
    };
    const { desk, attic } = await pair(t, { service });
    const stolen = callerOf(t, attic, desk.address, desk.id);
    await assert.rejects(stolen.hello(helloOf(desk)), failsWith("unauthorized", attic.id, desk.id));
    await assert.rejects(stolen.gossip({ from: desk.id }), failsWith("unauthorized", "says that it is"));
    const own = callerOf(t, attic, desk.address);
    await assert.rejects(own.hello(helloOf(desk)), failsWith("unauthorized", "in the name of another node"));
    await assert.rejects(own.gossip({ from: desk.id }), failsWith("unauthorized", "in the name of another node"));
    assert.equal(asked, 0);
    await own.gossip({ from: attic.id });
    assert.equal(asked, 1);
    const second = callerOf(t, attic, desk.address, `${attic.id}.52418`);
    await second.hello({ ...helloOf(attic), nodeId: `${attic.id}.52418` });
    const longer = callerOf(t, attic, desk.address, `${attic.id}1`);
    await assert.rejects(longer.gossip({ from: `${attic.id}1` }), failsWith("unauthorized"));
  });

  test("does not believe a member that answers in the name of another one", async (t) => {
    const directory = await founder(t);
    const desk = await startTrusted(t, directory);
    const service = { hello: async () => ({ ...hello("desk"), nodeId: desk.id }) };
    const liar = await startTrusted(t, await joiner(t, { directory, node: desk }), { service });
    await assert.rejects(
      callerOf(t, desk, liar.address).hello(helloOf(desk)),
      failsWith("unauthorized", "shows the certificate of another one"),
    );
  });

  test("carries hops over the same port", async (t) => {
    const { desk, attic } = await pair(t);
    const limits = limitsOf(64, 8);
    const received = receiver(limits.maxFrameBytes);
    desk.hops.register(received.registration);
    const options = { ...hopOptions(desk.address), credentials: attic.credentials };
    const client = await openHop({ ...options, edge: { ...RING, nodeId: attic.id } });
    await client.send(batch(limits, 8));
    await client.close();
    assert.equal(received.frames.length, 1);
    await assert.rejects(
      openHop({ ...options, nextNode: attic.id, edge: { ...RING, nodeId: attic.id } }),
      failsWith("unauthorized", "Another node of the cluster answers there"),
    );
    await assert.rejects(
      openHop({ ...options, edge: { ...RING, nodeId: desk.id } }),
      failsWith("unauthorized", "says that it is"),
    );
  });
});

describe("a revoked node", () => {
  test("loses its connections at once, is told why, and stays out after a restart", async (t) => {
    let begun = 0;
    const service = {
      readModel: async function* (_file: string, _begin: number, _end: number, signal: AbortSignal) {
        begun += 1;
        yield Buffer.alloc(16);
        await once(signal, "abort");
      },
    };
    const { directory, desk, attic } = await pair(t, { service });
    const client = callerOf(t, attic, desk.address);
    const streams = client.readModel("file", 0, 16, new AbortController().signal)[Symbol.asyncIterator]();
    await streams.next();
    assert.equal(begun, 1);
    const lost = assert.rejects(streams.next(), (error: ExoError) => error.code === "peer_unreachable");
    await revoke(new TrustStore(directory), attic.id, Date.now());
    await desk.trust.reload();
    await lost;
    await assert.rejects(client.hello(helloOf(attic)), failsWith("unauthorized", "was revoked by an admin"));
    await assert.rejects(
      callerOf(t, desk, attic.address).hello(helloOf(desk)),
      failsWith("unauthorized", "was revoked"),
    );
    assert.ok(desk.refusals.some(({ nodeId, reason }) => nodeId === attic.id && reason.includes("was revoked")));
    await desk.stop();
    const again = await startTrusted(t, directory);
    await assert.rejects(
      callerOf(t, attic, again.address).hello(helloOf(attic)),
      failsWith("unauthorized", "was revoked"),
    );
  });

  test("comes back with a new token, as another node", async (t) => {
    const { directory, desk, attic } = await pair(t);
    await revoke(new TrustStore(directory), attic.id, Date.now());
    await desk.trust.reload();
    const store = new TrustStore(await configDirectory(t));
    await joinCluster(store, await inviteTo(directory, [desk.address]), "attic", Date.now());
    const back = await startTrusted(t, store.directory.replace(/[/\\]cluster$/, ""));
    assert.notEqual(back.id, attic.id);
    await callerOf(t, back, desk.address).hello(helloOf(back));
  });
});
