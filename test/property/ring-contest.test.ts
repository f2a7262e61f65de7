import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type RingProposal, winnerOf } from "../../src/cluster/ring-contest.js";

const nodeIds = ["a", "b", "c", "d", "e"];
const states = ["waiting", "loading", "ready", "failed"] as const;

const proposal = fc.record({
  head: fc.constantFrom(...nodeIds),
  proposedBy: fc.constantFrom(...nodeIds),
  state: fc.constantFrom(...states),
  epoch: fc.nat({ max: 2 }),
  draining: fc.boolean(),
  gaveUp: fc.boolean(),
});

const proposals = fc
  .array(proposal, { maxLength: 8 })
  .map((all): readonly RingProposal[] => all.map((one, index) => ({ ...one, id: `r${index}`, spec: "m", replica: 0 })));

describe("winnerOf", () => {
  test("does not depend on the order in which proposals are listed", () => {
    fc.assert(
      fc.property(
        proposals.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray([...all], { minLength: all.length }))),
        ([all, shuffled]) => assert.equal(winnerOf(shuffled)?.id, winnerOf(all)?.id),
      ),
    );
  });

  test("finds one whenever one could serve, and never one that could not", () => {
    fc.assert(
      fc.property(proposals, (all) => {
        const able = all.filter(({ draining, gaveUp }) => !draining && !gaveUp);
        const winner = winnerOf(all);
        assert.equal(winner !== null, able.length > 0);
        assert.ok(winner === null || able.includes(winner));
      }),
    );
  });

  test("never gives up a ring that is ready for one that is not", () => {
    fc.assert(
      fc.property(proposals, (all) => {
        const ready = all.some(({ state, draining, gaveUp }) => state === "ready" && !draining && !gaveUp);
        assert.ok(!ready || winnerOf(all)?.state === "ready");
      }),
    );
  });

  test("the head that a proposer asked goes on, not the proposer", () => {
    const common = { spec: "m", replica: 0, epoch: 0, draining: false, gaveUp: false };
    const asked: RingProposal = { ...common, id: "r", head: "z", proposedBy: "a", state: "waiting" };
    const asking: RingProposal = { ...common, id: "s", head: "a", proposedBy: "a", state: "loading" };
    const third: RingProposal = { ...common, id: "t", head: "b", proposedBy: "b", state: "waiting" };
    assert.equal(winnerOf([asking, asked])?.id, "r");
    assert.equal(winnerOf([asking, asked, third])?.id, "r");
    assert.equal(winnerOf([asked, third])?.id, "r");
  });
});

/** What one node knows of each proposal: how far that was when it last heard. */
interface Simulated {
  readonly id: string;
  /** Index in `WAY`; `null`: it stood down. */
  step: number | null;
  readonly heard: Map<string, number>;
}

const WAY = ["waiting", "loading", "ready"] as const;

/** One step of the simulation: who acts, and whether it hears of another one, looks at what it knows, or goes on. */
const move = fc.record({
  who: fc.nat({ max: nodeIds.length - 1 }),
  from: fc.nat({ max: nodeIds.length - 1 }),
  what: fc.constantFrom("hear", "look", "go on"),
});

describe("nodes that were all asked for the same", () => {
  test("come to one ring, whatever they hear late, and never to none", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const nodes: Simulated[] = nodeIds.map((id) => ({ id, step: 0, heard: new Map() }));
        for (const { who, from, what } of moves) {
          const [node, other] = [nodes[who], nodes[from]];
          assert.ok(node !== undefined && other !== undefined);
          if (what === "hear") hear(node, other);
          else if (what === "look") look(node);
          else if (node.step !== null) node.step = Math.min(WAY.length - 1, node.step + 1);
          assert.ok(nodes.some(({ step }) => step !== null));
        }
        for (const node of nodes) for (const other of nodes) hear(node, other);
        for (const node of nodes) look(node);
        // Who stood down in this round is heard of in the next one.
        assert.equal(nodes.filter(({ step }) => step !== null).length, 1);
      }),
      { numRuns: 1000 },
    );
  });
});

function hear(node: Simulated, other: Simulated): void {
  if (node === other) return;
  if (other.step === null) node.heard.delete(other.id);
  else node.heard.set(other.id, other.step);
}

function look(node: Simulated): void {
  if (node.step === null) return;
  const known = [...node.heard, [node.id, node.step] as const];
  const winner = winnerOf(
    known.map(([id, step]) => ({
      id,
      spec: "m",
      replica: 0,
      head: id,
      proposedBy: id,
      state: WAY[step] ?? "waiting",
      epoch: Math.min(1, step),
      draining: false,
      gaveUp: false,
    })),
  );
  if (winner?.head !== node.id) node.step = null;
}
