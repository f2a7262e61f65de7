import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Claim, mergeClaims, type Stamp, type Standing } from "../../src/cluster/membership/claim.js";
import { GossipState } from "../../src/cluster/membership/gossip-state.js";
import { Network } from "../support/gossip-network.js";

interface Note extends Stamp {
  readonly text: string;
}

const standing = fc.constantFrom<Standing>("alive", "suspect", "gone");

/** About node x; few values, so that many are equal in part. */
const claim: fc.Arbitrary<Claim<Note>> = fc
  .record({
    instance: fc.constantFrom("i", "j"),
    incarnation: fc.nat(3),
    revision: fc.nat(3),
    text: fc.constantFrom("p", "q"),
    standing,
    goneMs: fc.nat(50),
  })
  .map(({ standing, goneMs, ...stamp }) => ({
    record: { id: "x", ...stamp },
    standing,
    goneMs: standing === "gone" ? goneMs : 0,
  }));

describe("two claims about a node", () => {
  test("make the same one in either order", () => {
    fc.assert(fc.property(claim, claim, (a, b) => assert.deepEqual(mergeClaims(a, b), mergeClaims(b, a))));
  });

  test("make the same one whichever are put together first", () => {
    fc.assert(
      fc.property(claim, claim, claim, (a, b, c) => {
        assert.deepEqual(mergeClaims(mergeClaims(a, b), c), mergeClaims(a, mergeClaims(b, c)));
      }),
    );
  });

  test("change nothing when they come again", () => {
    fc.assert(
      fc.property(claim, claim, (a, b) => {
        assert.deepEqual(mergeClaims(a, a), a);
        assert.deepEqual(mergeClaims(mergeClaims(a, b), b), mergeClaims(a, b));
      }),
    );
  });

  test("never bring back an incarnation that was overcome, nor lift a suspicion within one", () => {
    const weight = { alive: 0, suspect: 1, gone: 2 };
    fc.assert(
      fc.property(claim, claim, (a, b) => {
        const both = mergeClaims(a, b);
        for (const one of [a, b]) {
          assert.ok(both.record.incarnation >= one.record.incarnation);
          if (both.record.incarnation > one.record.incarnation) continue;
          assert.ok(both.record.revision >= one.record.revision);
          assert.ok(weight[both.standing] >= weight[one.standing]);
        }
      }),
    );
  });
});

describe("what a node knows", () => {
  const limits = { suspectMs: 1000, forgetMs: 60_000, mostNodes: 100, messageBytes: 1_000_000 };
  const aboutSome = fc.tuple(fc.constantFrom("x", "y", "z"), claim).map(([id, { record, ...rest }]) => {
    return { ...rest, record: { ...record, id }, at: null };
  });

  test("does not depend on the order in which it came, nor on how often", () => {
    const arrivals = fc
      .array(aboutSome, { minLength: 1, maxLength: 12 })
      .chain((claims) =>
        fc.tuple(
          fc.constant(claims),
          fc.shuffledSubarray(claims, { minLength: claims.length }),
          fc.array(fc.constantFrom(...claims), { maxLength: 6 }),
        ),
      );
    fc.assert(
      fc.property(arrivals, ([claims, shuffled, again]) => {
        const known = (order: typeof claims) => {
          const state = new GossipState<Note>({ id: "self", instance: "s", incarnation: 1 }, limits);
          for (const item of order) state.receive({ digests: null, items: [item] }, 7000);
          const ids = ["x", "y", "z"].map((id) => state.said(id)?.record ?? null);
          const digests = [...state.digests(7000, () => false)].sort((a, b) => (a.id < b.id ? -1 : 1));
          return { ids, digests };
        };
        assert.deepEqual(known([...shuffled, ...again]), known(claims));
      }),
    );
  });
});

describe("nodes that gossip", () => {
  const COUNT = 4;
  const node = fc.nat(COUNT - 1);
  /** The first node stays, so that there is always somebody to ask. */
  const mortal = fc.integer({ min: 1, max: COUNT - 1 });
  const clock = fc.constantFrom(-1_000_000, -5, 0, 5, 1_000_000);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("gossip" as const), from: node, to: node }),
    fc.record({ kind: fc.constant("beat" as const), from: node, to: node }),
    fc.record({ kind: fc.constant("deliver" as const), which: fc.nat(20), again: fc.boolean() }),
    fc.record({ kind: fc.constant("lose" as const), which: fc.nat(20) }),
    fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.nat(1500) }),
    fc.record({ kind: fc.constant("cut" as const), from: node, to: node }),
    fc.record({ kind: fc.constant("mend" as const), from: node, to: node }),
    fc.record({ kind: fc.constant("change" as const), node }),
    fc.record({ kind: fc.constant("stop" as const), node: mortal }),
    fc.record({ kind: fc.constant("start" as const), node: mortal, clock }),
  );

  test("agree in the end, whatever was lost, delayed, doubled, cut, stopped and started before", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const network = new Network(COUNT);
        for (const one of steps) network.take(one);
        network.calmDown();
        network.assertAgreement();
      }),
      { numRuns: 300 },
    );
  });

  test("agree after two halves knew nothing of each other", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 0, max: 20 }), (steps, rounds) => {
        const network = new Network(COUNT);
        network.calmDown();
        for (const [from, to] of [
          [0, 2],
          [0, 3],
          [1, 2],
          [1, 3],
        ] as const) {
          network.take({ kind: "cut", from, to });
        }
        for (const one of steps) if (one.kind !== "mend") network.take(one);
        for (let round = 0; round < rounds; round += 1) network.round();
        network.calmDown();
        network.assertAgreement();
      }),
    );
  });
});
