import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import { revoke, rotateAuthority } from "../../src/cluster/trust/change-cluster.js";
import { readMembers } from "../../src/cluster/trust/known-members.js";
import { leaveCluster, leftWithoutAdmin } from "../../src/cluster/trust/leave-cluster.js";
import { mergeRevocations, signRevocation } from "../../src/cluster/trust/revocations.js";
import { TrustKeeper } from "../../src/cluster/trust/trust-keeper.js";
import { TrustStore } from "../../src/cluster/trust/trust-store.js";
import { type Clock, silentLogger } from "../../src/core/ports.js";
import { TrustClient } from "../../src/transport/trust-client.js";
import { eventually } from "../support/eventually.js";
import {
  ahead,
  callerOf,
  DAY,
  founder,
  HOUR,
  helloOf,
  inviteTo,
  joiner,
  startTrusted,
  type TrustedNode,
} from "../support/trust-cluster.js";
import { failsWith } from "./transport-harness.js";

interface Machine {
  readonly directory: string;
  readonly node: TrustedNode;
}

/** Machines that joined one after the other; the first is the admin. */
async function machines(context: TestContext, count: number): Promise<readonly Machine[]> {
  const directory = await founder(context);
  const first = { directory, node: await startTrusted(context, directory) };
  const all: Machine[] = [first];
  while (all.length < count) {
    const next = await joiner(context, first);
    all.push({ directory: next, node: await startTrusted(context, next) });
  }
  return all;
}

/** Looks after a node's keys, as if it saw these others. */
async function keep(context: TestContext, { node }: Machine, others: readonly Machine[]): Promise<void> {
  const keeper = new TrustKeeper({
    trust: node.trust,
    name: "this",
    members: () =>
      others.map((other) => ({ id: other.node.id, name: `node ${other.node.id}`, address: other.node.address })),
    connect: ({ id, address }) => {
      return new TrustClient({ peer: address, nodeId: id, credentials: node.credentials, callerId: node.id });
    },
    logger: silentLogger,
    lookMs: 20,
  });
  await keeper.start();
  context.after(() => keeper.stop());
}

describe("what a cluster's nodes tell each other of keys", () => {
  test("a revocation reaches those that the admin does not see, and stays", async (t) => {
    const [desk, attic, cellar] = await machines(t, 3);
    assert.ok(desk && attic && cellar);
    await Promise.all([keep(t, desk, [attic]), keep(t, attic, [desk, cellar]), keep(t, cellar, [attic])]);
    await revoke(new TrustStore(desk.directory), "ab".repeat(16), Date.now());
    const isKnown = async (directory: string): Promise<void> => {
      const files = await new TrustStore(directory).read();
      assert.deepEqual(
        files?.facts.revocations.map(({ nodeId }) => nodeId),
        ["ab".repeat(16)],
      );
    };
    await eventually(() => isKnown(attic.directory));
    await eventually(() => isKnown(cellar.directory));
  });

  test("nobody but the authority can revoke", async (t) => {
    const [desk, attic] = await machines(t, 2);
    assert.ok(desk && attic);
    const files = await new TrustStore(attic.directory).read();
    assert.ok(files !== null);
    await assert.rejects(
      revoke(new TrustStore(attic.directory), desk.node.id, Date.now()),
      failsWith("unauthorized", "no admin"),
    );
    const facts = { nodeId: desk.node.id, name: "desk", atMs: 1, reason: "revoked" } as const;
    const forged = signRevocation(facts, files.node.key);
    assert.deepEqual(mergeRevocations([], [forged], files.facts.authorities), []);
    await desk.node.trust.take({ authorities: [], revocations: [forged] });
    assert.deepEqual(desk.node.trust.state().revocations, []);
  });

  test("members are written down with their roles, for commands", async (t) => {
    const [desk, attic] = await machines(t, 2);
    assert.ok(desk && attic);
    await Promise.all([keep(t, desk, [attic]), keep(t, attic, [desk])]);
    await eventually(async () => {
      const known = await readMembers(new TrustStore(attic.directory));
      assert.deepEqual(
        known.map(({ id, role }) => [id, role]).sort(),
        [
          [desk.node.id, "admin"],
          [attic.node.id, "member"],
        ].sort(),
      );
    });
  });
});

/** A clock that can be put on. */
function settableClock(): Clock & { forward(milliseconds: number): void } {
  let off = 0;
  return {
    monotonic: () => performance.now() + off,
    wall: () => Date.now() + off,
    forward: (milliseconds) => {
      off += milliseconds;
    },
  };
}

describe("certificates", () => {
  test("are replaced with new keys when half of their time is over", async (t) => {
    const [desk, attic] = await machines(t, 2);
    assert.ok(desk && attic);
    const before = await new TrustStore(attic.directory).read();
    const clock = ahead(200 * DAY);
    const later = { directory: attic.directory, node: await startTrusted(t, attic.directory, { clock }) };
    assert.equal(later.node.trust.needsRenewal(), true);
    await keep(t, later, [desk]);
    await eventually(async () => {
      const after = await new TrustStore(attic.directory).read();
      assert.notEqual(after?.node.certificate, before?.node.certificate);
      assert.notEqual(after?.node.key, before?.node.key);
    });
    assert.equal(later.node.trust.id, attic.node.id);
    await callerOf(t, later.node, desk.node.address).hello(helloOf(later.node));
  });
});

describe("a new authority", () => {
  test("is taken by nodes that run, and those that come back before the former one ends", async (t) => {
    const [desk, attic, cellar] = await machines(t, 3);
    assert.ok(desk && attic && cellar);
    const stale = await inviteTo(desk.directory, [desk.node.address]);
    await rotateAuthority(new TrustStore(desk.directory), DAY, Date.now());
    await Promise.all([keep(t, desk, [attic, cellar]), keep(t, attic, [desk])]);
    await eventually(async () => {
      assert.equal(attic.node.trust.state().authorities.length, 2);
      assert.equal(attic.node.trust.needsRenewal(), false);
    });
    // The cellar has heard of nothing, and is talked to all the same, in both directions.
    assert.equal(
      (await callerOf(t, cellar.node, attic.node.address).hello(helloOf(cellar.node))).nodeId,
      attic.node.id,
    );
    assert.equal(
      (await callerOf(t, attic.node, cellar.node.address).hello(helloOf(attic.node))).nodeId,
      cellar.node.id,
    );
    const { authority } = await inviteTo(desk.directory, [desk.node.address]);
    assert.notEqual(authority, stale.authority);
  });

  test("leaves out who does not come back before", async (t) => {
    const [desk, attic] = await machines(t, 2);
    assert.ok(desk && attic);
    await rotateAuthority(new TrustStore(desk.directory), HOUR, Date.now());
    const clock = settableClock();
    const again = await startTrusted(t, desk.directory, { clock });
    await callerOf(t, attic.node, again.address).hello(helloOf(attic.node));
    clock.forward(2 * HOUR);
    await again.trust.reload();
    await assert.rejects(
      callerOf(t, again, attic.node.address).hello(helloOf(again)),
      failsWith("unauthorized", "another cluster"),
    );
  });

  test("goes to the other admins with its key", async (t) => {
    const [desk] = await machines(t, 1);
    assert.ok(desk);
    const directory = await joiner(t, desk, { admin: true });
    const second = { directory, node: await startTrusted(t, directory) };
    await Promise.all([keep(t, desk, [second]), keep(t, second, [desk])]);
    await callerOf(t, second.node, desk.node.address).hello(helloOf(second.node));
    await rotateAuthority(new TrustStore(desk.directory), DAY, Date.now());
    await eventually(async () => {
      assert.equal(second.node.trust.state().authorities.length, 2);
      const signer = await second.node.trust.signer();
      assert.ok(signer !== null);
      assert.equal(new X509Certificate(signer.certificate).subject, newestSubject(second.node));
    });
  });
});

function newestSubject({ trust }: TrustedNode): string {
  return new X509Certificate(trust.state().authorities.at(-1)?.certificate ?? "").subject;
}

describe("what a hostile member says", () => {
  test("fills up nothing: an authority that is written in many ways is one", async (t) => {
    const [desk] = await machines(t, 1);
    assert.ok(desk);
    await rotateAuthority(new TrustStore(desk.directory), DAY, Date.now());
    await desk.node.trust.reload();
    const { authorities } = desk.node.trust.state();
    const rewritten = authorities.flatMap(({ certificate, crossCertificate }) =>
      Array.from({ length: 20 }, (_, n) => ({ certificate: certificate + "\n".repeat(n), crossCertificate })),
    );
    const garbage = { certificate: "-----BEGIN CERTIFICATE-----", crossCertificate: "x" };
    await desk.node.trust.take({ authorities: [...rewritten, garbage], revocations: [] });
    assert.deepEqual(desk.node.trust.state().authorities, authorities);
  });

  test("brings no authority in that none before has signed", async (t) => {
    const [desk, other] = await Promise.all([machines(t, 1), machines(t, 1)]);
    assert.ok(desk[0] && other[0]);
    await rotateAuthority(new TrustStore(other[0].directory), DAY, Date.now());
    await other[0].node.trust.reload();
    await desk[0].node.trust.take(other[0].node.trust.state());
    assert.equal(desk[0].node.trust.state().authorities.length, 1);
  });
});

describe("leaving", () => {
  test("tells an admin, who revokes, and removes the keys", async (t) => {
    const [desk, attic] = await machines(t, 2);
    assert.ok(desk && attic);
    const left = await leaveCluster(attic.directory, [desk.node.address]);
    assert.deepEqual(left, { cluster: "home", told: true });
    assert.equal(await new TrustStore(attic.directory).exists(), false);
    await desk.node.trust.reload();
    const [revocation] = desk.node.trust.state().revocations;
    assert.deepEqual([revocation?.nodeId, revocation?.reason], [attic.node.id, "left"]);
    await attic.node.trust.reload();
    await assert.rejects(
      callerOf(t, attic.node, desk.node.address).hello(helloOf(attic.node)),
      failsWith("unauthorized", "left the cluster"),
    );
  });

  test("works when nobody can be told", async (t) => {
    const [desk] = await machines(t, 1);
    assert.ok(desk);
    assert.deepEqual(await leaveCluster(desk.directory, []), { cluster: "home", told: false });
  });

  test("of the only admin is pointed out", async (t) => {
    const [desk, attic] = await machines(t, 2);
    assert.ok(desk && attic);
    await keep(t, desk, [attic]);
    await callerOf(t, desk.node, attic.node.address).hello(helloOf(desk.node));
    await eventually(async () => {
      assert.equal((await leftWithoutAdmin(new TrustStore(desk.directory))).length, 1);
    });
    assert.deepEqual(await leftWithoutAdmin(new TrustStore(attic.directory)), []);
  });
});
