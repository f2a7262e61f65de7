import assert from "node:assert/strict";
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ClusterTrust } from "../../src/cluster/trust/cluster-trust.js";
import { joinCluster } from "../../src/cluster/trust/join-cluster.js";
import { INVITES, TrustStore } from "../../src/cluster/trust/trust-store.js";
import type { JoinToken } from "../../src/config/join-token.js";
import { silentLogger } from "../../src/core/ports.js";
import { openCredentials, plaintextCredentials } from "../../src/transport/credentials.js";
import {
  ahead,
  callerOf,
  configDirectory,
  founder,
  HOUR,
  helloOf,
  inviteTo,
  joiner,
  startTrusted,
} from "../support/trust-cluster.js";
import { failsWith, startNode, tcpServer } from "./transport-harness.js";

async function admin(context: TestContext) {
  const directory = await founder(context);
  return { directory, node: await startTrusted(context, directory) };
}

async function tryToJoin(context: TestContext, token: JoinToken): Promise<void> {
  const directory = await configDirectory(context);
  try {
    await joinCluster(new TrustStore(directory), token, "attic", Date.now());
  } finally {
    const kept = await readdir(directory);
    if (!kept.includes("cluster")) assert.deepEqual(kept, [], "a failed attempt leaves nothing behind");
  }
}

describe("joining a cluster with a token", () => {
  test("makes a member that others talk to, also when both start again", async (t) => {
    const first = await admin(t);
    const directory = await joiner(t, first);
    const member = await startTrusted(t, directory, { name: "attic" });
    assert.notEqual(member.id, first.node.id);
    assert.equal(member.trust.own.role, "member");
    const there = await callerOf(t, member, first.node.address).hello(helloOf(member));
    assert.equal(there.nodeId, first.node.id);
    const back = await callerOf(t, first.node, member.address).hello(helloOf(first.node, "desk"));
    assert.equal(back.nodeId, member.id);
    await first.node.stop();
    await member.stop();
    const [again, other] = await Promise.all([startTrusted(t, first.directory), startTrusted(t, directory)]);
    assert.equal((await callerOf(t, other, again.address).hello(helloOf(other))).nodeId, again.id);
  });

  test("gives an admin the authority's key, and nobody else", async (t) => {
    const first = await admin(t);
    const plain = await ClusterTrust.open(await joiner(t, first));
    const second = await ClusterTrust.open(await joiner(t, first, { admin: true }));
    assert.equal(await plain?.signer(), null);
    assert.notEqual(await second?.signer(), null);
    assert.equal(second?.own.role, "admin");
  });

  test("works while the node that founded the cluster is away, through another admin", async (t) => {
    const first = await admin(t);
    const directory = await joiner(t, first, { admin: true });
    await first.node.stop();
    const second = { directory, node: await startTrusted(t, directory) };
    const member = await startTrusted(t, await joiner(t, second));
    assert.equal((await callerOf(t, member, second.node.address).hello(helloOf(member))).nodeId, second.node.id);
  });

  test("keeps private keys from others on the machine, and refuses files that are not kept so", async (t) => {
    const first = await admin(t);
    await inviteTo(first.directory, [first.node.address]);
    const directory = join(first.directory, "cluster");
    for (const name of await readdir(directory)) {
      const { mode } = await stat(join(directory, name));
      assert.equal(mode & 0o077, 0, `${name} has mode ${(mode & 0o777).toString(8)}`);
    }
    await chmod(join(directory, "node.pem"), 0o644);
    await assert.rejects(
      ClusterTrust.open(first.directory),
      failsWith("invalid_argument", "node.pem", "644", "chmod 600"),
    );
  });

  test("keeps no secret of a token", async (t) => {
    const first = await admin(t);
    const { secret } = await inviteTo(first.directory, [first.node.address]);
    const kept = await readFile(new TrustStore(first.directory).path(INVITES), "utf8");
    assert.equal(kept.includes(secret), false);
  });

  test("is refused with files that were damaged", async (t) => {
    const first = await admin(t);
    await writeFile(join(first.directory, "cluster", "cluster.json"), "{");
    await assert.rejects(ClusterTrust.open(first.directory), failsWith("invalid_argument", "cluster.json is damaged"));
  });
});

describe("a token", () => {
  test("lets in as many machines as it is good for, also across a restart, and says so to both sides", async (t) => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
    const directory = await founder(t);
    const node = await startTrusted(t, directory, { logger });
    const once = await inviteTo(directory, [node.address]);
    const twice = await inviteTo(directory, [node.address], { uses: 2 });
    await tryToJoin(t, once);
    await tryToJoin(t, twice);
    await assert.rejects(tryToJoin(t, once), failsWith("unauthorized", "used already, by attic", "good for once"));
    await assert.rejects(tryToJoin(t, once), failsWith("unauthorized", "used already"));
    assert.deepEqual(
      warnings.filter((message) => message.includes("used already")).length,
      1,
      "each fault of a token is logged once",
    );
    await node.stop();
    const again = await startTrusted(t, directory);
    await assert.rejects(tryToJoin(t, { ...once, peers: [again.address] }), failsWith("unauthorized", "used already"));
    await tryToJoin(t, { ...twice, peers: [again.address] });
    await assert.rejects(tryToJoin(t, { ...twice, peers: [again.address] }), failsWith("unauthorized", "2 times"));
  });

  test("is not taken after its end, by the clock of either side", async (t) => {
    const directory = await founder(t);
    const node = await startTrusted(t, directory, { clock: ahead(2 * HOUR) });
    const token = await inviteTo(directory, [node.address]);
    await assert.rejects(tryToJoin(t, token), failsWith("unauthorized", "The token ended at"));
    await assert.rejects(
      tryToJoin(t, { ...token, expiresAt: Date.now() - 1000 }),
      failsWith("unauthorized", "by this machine's clock"),
    );
  });

  test("with another secret, or of an unknown invite, is refused", async (t) => {
    const first = await admin(t);
    const token = await inviteTo(first.directory, [first.node.address]);
    const wrong = { ...token, secret: "00".repeat(16) };
    await assert.rejects(tryToJoin(t, wrong), failsWith("unauthorized", "not one that this node gave"));
    const unknown = { ...token, inviteId: "00".repeat(8) };
    await assert.rejects(tryToJoin(t, unknown), failsWith("unauthorized", "not one that this node gave"));
    await tryToJoin(t, token);
  });

  test("is not shown to a cluster with another authority: somebody in between", async (t) => {
    const first = await admin(t);
    const impostor = await startTrusted(t, await founder(t));
    const token = await inviteTo(first.directory, [impostor.address]);
    await assert.rejects(tryToJoin(t, token), failsWith("unauthorized", "not the cluster of the token", "in between"));
    const both = { ...token, peers: [impostor.address, first.node.address] };
    await tryToJoin(t, both);
  });

  test("is not shown to a member that cannot admit", async (t) => {
    const first = await admin(t);
    const member = await startTrusted(t, await joiner(t, first));
    const token = await inviteTo(first.directory, [member.address]);
    await assert.rejects(tryToJoin(t, token), failsWith("unauthorized", "cannot admit others"));
  });

  test("is not shown to a node without a cluster", async (t) => {
    const first = await admin(t);
    const open = await startNode(t, { credentials: await openCredentials() });
    const token = await inviteTo(first.directory, [open.address]);
    await assert.rejects(tryToJoin(t, token), failsWith("unauthorized", "no node of a cluster with a secret"));
    const plain = await startNode(t, { credentials: plaintextCredentials() });
    await assert.rejects(
      tryToJoin(t, { ...token, peers: [plain.address] }),
      failsWith("unauthorized", "does not encrypt"),
    );
    const silent = await tcpServer(t, (socket) => socket.destroy());
    await assert.rejects(tryToJoin(t, { ...token, peers: [silent] }), failsWith("peer_unreachable", "has to run"));
  });

  test("does not change the cluster of a machine that is in one", async (t) => {
    const first = await admin(t);
    const other = await admin(t);
    const token = await inviteTo(first.directory, [first.node.address]);
    await assert.rejects(
      joinCluster(new TrustStore(other.directory), token, "attic", Date.now()),
      failsWith("invalid_argument", "in a cluster already", "cluster leave"),
    );
  });
});
