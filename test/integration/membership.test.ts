import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { type Logger, silentLogger } from "../../src/core/ports.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import { MAX_GOSSIP_BYTES } from "../../src/transport/limits.js";
import { eventually } from "../support/eventually.js";
import { sampleRecord } from "../support/sample-record.js";
import { connectAll, type MemberOptions, TestMember, Wires } from "./membership-harness.js";
import { BUILD, failsWith } from "./transport-harness.js";

const [A, B, C, D] = ["10.0.0.1:7", "10.0.0.2:7", "10.0.0.3:7", "10.0.0.4:7"] as const;
/** A second address of C. */
const C2 = "10.9.9.3:7";

const host = (address: string): string => address.split(":")[0] ?? "";

async function startAll(
  context: TestContext,
  addresses: readonly string[],
  options: Record<string, MemberOptions> = {},
) {
  const wires = new Wires(context);
  const members: TestMember[] = [];
  for (const address of addresses) members.push(await TestMember.start(wires, address, options[address] ?? {}));
  await connectAll(wires, ...addresses.map((address) => [address, ...(options[address]?.addresses ?? [])]));
  return { wires, members };
}

/** Cuts or mends the wires between two, both ways. */
async function setWires(wires: Wires, a: string, b: string, isOpen: boolean): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const wire = await wires.between(host(from), to);
    if (isOpen) wire.accept();
    else wire.refuse();
  }
}

function assertStates(member: TestMember, expected: Record<string, string>): void {
  const states = member.membership.members().map(({ id, state }) => [id, state]);
  assert.deepEqual(Object.fromEntries(states), expected, `as ${member.id} sees it`);
}

async function assertAllAlive(members: readonly TestMember[]): Promise<void> {
  await eventually(async () => {
    for (const member of members) {
      const others = members.filter((other) => other !== member);
      assertStates(member, Object.fromEntries(others.map(({ id }) => [id, "alive"])));
    }
  });
}

function warnings(): { readonly logger: Logger; readonly texts: string[] } {
  const texts: string[] = [];
  const note = (_fields: object, text: string): void => void texts.push(text);
  return { logger: { ...silentLogger, warn: note, error: note }, texts };
}

describe("membership", () => {
  test("a node that only one other knows of comes to be known by all, who connect to it", async (t) => {
    const { members } = await startAll(t, [A, B, C]);
    const [a, b, c] = members;
    assert.ok(a && b && c);
    await a.meets(b);
    await c.meets(b);
    await assertAllAlive(members);
    const record = (await a.find(c)?.client.health())?.record;
    assert.equal((record as { id?: unknown }).id, c.id);
    assert.deepEqual(a.find(c)?.address, c.address);
  });

  test("two halves that lost each other are whole again when they meet, without anybody who finds them", async (t) => {
    const { wires, members } = await startAll(t, [A, B, C, D]);
    const [a, b, c, d] = members;
    assert.ok(a && b && c && d);
    for (const member of [b, c, d]) await member.meets(a);
    await assertAllAlive(members);
    const across = [
      [A, C],
      [A, D],
      [B, C],
      [B, D],
    ] as const;
    for (const [one, other] of across) await setWires(wires, one, other, false);
    await eventually(async () => {
      assertStates(a, { [b.id]: "alive", [c.id]: "gone", [d.id]: "gone" });
      assertStates(d, { [a.id]: "gone", [b.id]: "gone", [c.id]: "alive" });
    });
    for (const [one, other] of across) await setWires(wires, one, other, true);
    await assertAllAlive(members);
    await eventually(async () => {
      for (const member of members) {
        for (const other of members.filter((one) => one !== member)) {
          assert.equal(member.find(other)?.record.incarnation, other.membership.stamp().incarnation);
        }
      }
    });
  });

  test("of nodes with the same name it says which one hears another", async (t) => {
    const { wires, members } = await startAll(t, [A, B, C, D], { [B]: { name: "vm" }, [C]: { name: "vm" } });
    const [a, b, c, d] = members;
    assert.ok(a && b && c && d);
    for (const other of [b, c, d]) await a.meets(other);
    await assertAllAlive(members);
    await setWires(wires, A, D, false);
    const both = [b.id, c.id].map((id) => `vm (${id.slice(0, 8)})`);
    await eventually(async () => {
      const reason = a.find(d)?.reason ?? "";
      assert.ok(
        both.every((name) => reason.includes(name)),
        reason,
      );
    });
  });

  test("a node that only one other cannot reach stays, and the one says who hears it", async (t) => {
    const { wires, members } = await startAll(t, [A, B, C], { [B]: { name: "bea" } });
    const [a, b, c] = members;
    assert.ok(a && b && c);
    await a.meets(b);
    await c.meets(b);
    await assertAllAlive(members);
    const gone: string[] = [];
    for (const member of members) {
      member.membership.onChange(() => {
        for (const { id, state } of member.membership.members()) if (state === "gone") gone.push(`${member.id} ${id}`);
      });
    }
    await setWires(wires, A, C, false);
    await eventually(async () => assert.match(a.find(c)?.reason ?? "", /It is heard by bea\.$/));
    // Long enough for many heartbeats to be missed.
    const incarnation = c.membership.stamp().incarnation;
    for (let look = 0; look < 20; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.notEqual(b.find(c)?.state, "gone");
    }
    assert.deepEqual(gone, []);
    assert.ok(c.membership.stamp().incarnation <= incarnation + 3, "it does not have to contradict for ever");
    await setWires(wires, A, C, true);
    await assertAllAlive(members);
  });

  test("a node that was started again is there again, also when its clock was set back", async (t) => {
    const { wires, members } = await startAll(t, [A, B, C]);
    const [a, b, c] = members;
    assert.ok(a && b && c);
    await a.meets(b);
    await c.meets(b);
    await assertAllAlive(members);
    const before = c.membership.stamp();
    await c.stop();
    await eventually(async () => {
      assert.equal(a.find(c)?.state, "gone");
      assert.equal(b.find(c)?.state, "gone");
    });
    const again = await TestMember.start(wires, C, { clockOff: -86_400_000 });
    for (const from of [A, B]) await wires.relay(host(from), C);
    await again.meets(b);
    await assertAllAlive([a, b, again]);
    await eventually(async () => assert.ok(again.membership.stamp().incarnation > before.incarnation));
    await eventually(async () => assert.equal(a.find(again)?.record.instance, again.membership.stamp().instance));
  });

  test("a copied identity is found by everybody whom it concerns, and said with its remedy", async (t) => {
    const log = warnings();
    const { members } = await startAll(t, [A, B, C], {
      [A]: { logger: log.logger },
      [B]: { id: "twin", name: "bea" },
      [C]: { id: "twin", name: "cleo" },
    });
    const [a, b, c] = members;
    assert.ok(a && b && c);
    await a.meets(b);
    await eventually(async () => assert.equal(a.find(b)?.state, "alive"));
    await assert.rejects(a.membership.introduced(c.hello(), c.address), failsWith("invalid_argument", "same id"));
    const refused = a.membership.strangers().find(({ name }) => name === "cleo");
    assert.equal(refused?.state, "refused");
    assert.match(refused?.reason ?? "", /^cleo at 10\.0\.0\.3:7 has the same id as bea \(twin\): .*EXO_NATIVE_HOME/);
    assert.equal(a.find(b)?.name, "bea", "who was there first stays");
    assert.equal(log.texts.filter((text) => text.includes("same id")).length, 1);
    await b.membership.introduced(c.hello(), c.address);
    assert.match(b.membership.ownFault() ?? "", /^cleo at .* has the same id as this node/);
    assert.equal(a.membership.ownFault(), null);
  });

  test("a peer's other address is used when the one in use fails, without the peer being gone", async (t) => {
    const { wires, members } = await startAll(t, [A, C], { [C]: { addresses: [C2] } });
    const [a, c] = members;
    assert.ok(a && c);
    await a.meets(c);
    await eventually(async () => {
      assert.equal(a.find(c)?.addresses.filter(({ rttMs }) => rttMs !== null).length, 2);
    });
    const states = new Set<string>();
    a.membership.onChange(() => states.add(a.find(c)?.state ?? "none"));
    const used = a.find(c)?.address;
    assert.ok(used !== undefined);
    (await wires.between(host(A), `${used.host}:${used.port}`)).refuse();
    await eventually(async () => {
      const member = a.find(c);
      assert.equal(member?.state, "alive");
      assert.notDeepEqual(member?.address, used);
      assert.ok(member?.addresses.some(({ address, reason }) => address.host === used.host && reason !== null));
      await member?.client.health();
    });
    assert.ok(!states.has("gone"), [...states].join());
  });

  test("the faster of two addresses is used", async (t) => {
    const { wires, members } = await startAll(t, [A, C], { [C]: { addresses: [C2] } });
    const [a, c] = members;
    assert.ok(a && c);
    (await wires.between(host(A), C)).delay(15);
    await a.meets(c);
    await eventually(async () => assert.equal(a.find(c)?.address.host, host(C2)));
    const [first, second] = a.find(c)?.addresses ?? [];
    assert.deepEqual([first?.address.host, first?.inUse], [host(C2), true]);
    assert.deepEqual([second?.address.host, second?.inUse], [host(C), false]);
    assert.ok((first?.rttMs ?? 99) < (second?.rttMs ?? 0), `${first?.rttMs} and ${second?.rttMs}`);
  });

  test("what a peer says wrongly is refused by name, and the rest of what it says is used", async (t) => {
    const log = warnings();
    const { wires, members } = await startAll(t, [A, B, C], { [A]: { logger: log.logger }, [B]: { name: "bea" } });
    const [a, b, c] = members;
    assert.ok(a && b && c);
    await a.meets(b);
    await eventually(async () => assert.equal(a.find(b)?.state, "alive"));
    const client = new ControlClient({
      peer: wires.resolve(host(B), a.address),
      credentials: plaintextCredentials(),
      caller: { ...BUILD, nodeId: b.id },
    });
    t.after(() => client.close());
    const item = (record: unknown) => ({ record, standing: "alive", goneMs: 0, at: null });
    const good = sampleRecord({ id: c.id, instance: c.membership.stamp().instance, addresses: [C] });
    const bad = { ...sampleRecord({ id: "bad" }), devices: "many" };
    await client.gossip({ from: b.id, digests: null, items: [item(bad), item(good)], wanted: [] });
    await eventually(async () => assert.equal(a.find(c)?.state, "alive"));
    const complaint = /^bea passed on a record of node bad that is malformed at record\.devices/;
    assert.ok(
      log.texts.some((text) => complaint.test(text)),
      log.texts.join("\n"),
    );
    assert.equal(a.membership.find("bad"), null);
    assert.equal(a.find(b)?.state, "alive");

    await assert.rejects(client.gossip("nonsense"), failsWith("peer_incompatible"));
    await assert.rejects(client.gossip("x".repeat(MAX_GOSSIP_BYTES)), failsWith("invalid_argument", "allowed"));
  });

  test("a node that was made up is not taken for a member", async (t) => {
    const { members } = await startAll(t, [A, B]);
    const [a, b] = members;
    assert.ok(a && b);
    await a.meets(b);
    await assertAllAlive(members);
    const ghost = sampleRecord({ id: "ghost", name: "ghost", incarnation: 2 ** 47, addresses: ["10.0.0.99:7"] });
    const items = [{ record: ghost, standing: "alive", goneMs: 0, at: null }];
    await a.membership.gossip({ from: b.id, digests: null, items, wanted: [] });
    const stranger = a.membership.strangers().find(({ id }) => id === "ghost");
    assert.equal(stranger?.state, "unreachable");
    assert.equal(a.membership.find("ghost"), null);
    await eventually(async () => assert.deepEqual(a.membership.strangers(), [], "in time it is taken to be gone"));
    assertStates(a, { [b.id]: "alive" });
  });
});
