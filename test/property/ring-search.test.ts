import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ExoError } from "../../src/core/errors.js";
import { totalBytes } from "../../src/model/memory-estimate.js";
import { type PlacementRequest, placeModel } from "../../src/planning/placement.js";
import type { Plan } from "../../src/planning/plan.js";
import { localSearch } from "../../src/planning/ring/local-search.js";
import { latencyBound, throughputBound } from "../../src/planning/ring/lower-bound.js";
import { decodeCosts } from "../../src/planning/ring/ring-costs.js";
import { type Aim, isExact, objectiveOf, solveRing } from "../../src/planning/ring/solve-ring.js";
import type { Speeds } from "../../src/planning/speeds.js";
import { usableMemory } from "../../src/planning/topology.js";
import { allRings, measuredRequests, problemOf } from "../support/measured-cluster.js";

type Request = PlacementRequest & { readonly speeds: Speeds };

const STRATEGIES = ["latency", "throughput"] as const;

const aimOf = (strategy: Aim["strategy"], request: Request): Aim => ({ strategy, streams: request.needs.slots });

/** A search for the shortest round ends when it knows it to one part in ten thousand. */
const SAME = 1 + 3e-4;

function placed(request: PlacementRequest): Plan | null {
  try {
    return placeModel(request);
  } catch (thrown) {
    assert.ok(thrown instanceof ExoError && thrown.code === "out_of_memory", String(thrown));
    return null;
  }
}

for (const strategy of STRATEGIES) {
  describe(`the ring chosen for ${strategy}`, () => {
    test("is as good as the best of all orders and cuts, and there is one whenever any fits", () => {
      const sizes = fc.record({
        request: measuredRequests({ layers: 6, nodes: 4 }),
        minStages: fc.integer({ min: 1, max: 3 }),
      });
      fc.assert(
        fc.property(sizes, ({ request, minStages }) => {
          const problem = problemOf(request, minStages);
          const aim = aimOf(strategy, request);
          assert.ok(isExact(problem, aim));
          const objective = objectiveOf(problem, aim);
          const best = Math.min(...Array.from(allRings(problem), (ring) => objective.of(ring)));
          const solved = solveRing(problem, aim);
          assert.equal(solved === null, best === Number.POSITIVE_INFINITY);
          if (solved === null) return;
          assert.ok(objective.of(solved.ring) <= best * SAME, `${objective.of(solved.ring)} > ${best}`);
          assert.ok(solved.ring.length >= minStages);
        }),
        { numRuns: 150 },
      );
    });

    test("is never worse than one by chance, and never better than the bound", () => {
      const chances = fc.record({
        request: measuredRequests({ layers: 24, nodes: 6 }),
        order: fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 1 }),
        cuts: fc.array(fc.nat(24), { minLength: 6, maxLength: 6 }),
      });
      fc.assert(
        fc.property(chances, ({ request, order, cuts }) => {
          const problem = problemOf(request);
          const aim = aimOf(strategy, request);
          const objective = objectiveOf(problem, aim);
          const solved = solveRing(problem, aim);
          const bound = strategy === "latency" ? latencyBound(problem) : throughputBound(problem, aim.streams);
          if (solved !== null) assert.ok(objective.of(solved.ring) * SAME >= bound);
          const ring = ringByChance(problem, order, cuts);
          if (ring === null) return;
          assert.ok(solved !== null && objective.of(solved.ring) <= objective.of(ring) * SAME);
        }),
      );
    });

    test("keeps within every node's memory, whatever is measured", () => {
      fc.assert(
        fc.property(measuredRequests({ layers: 20, nodes: 5 }), (request) => {
          for (const stage of placed({ ...request, strategy })?.stages ?? []) {
            const node = request.topology.nodes.find(({ id }) => id === stage.nodeId);
            assert.ok(node !== undefined && totalBytes(stage.memory) <= usableMemory(node));
            assert.equal(request.info.cuts.allowed[stage.layerBegin], true);
          }
        }),
      );
    });

    test("does not depend on the order in which nodes and links are listed", () => {
      const shuffled = measuredRequests({ layers: 12, nodes: 4 }).chain((request) =>
        fc.record({
          request: fc.constant(request),
          nodes: fc.shuffledSubarray([...request.topology.nodes], { minLength: request.topology.nodes.length }),
          links: fc.shuffledSubarray([...request.speeds.links], { minLength: request.speeds.links.length }),
        }),
      );
      fc.assert(
        fc.property(shuffled, ({ request, nodes, links }) => {
          const speeds = { ...request.speeds, links };
          const other = placed({ ...request, strategy, topology: { nodes }, speeds });
          assert.deepEqual(other, placed({ ...request, strategy }));
        }),
        { numRuns: 60 },
      );
    });

    test("is not made worse by one node more", () => {
      fc.assert(
        fc.property(measuredRequests({ layers: 12, nodes: 5 }), (request) => {
          const nodes = request.topology.nodes.slice(0, -1);
          const [all, fewer] = [request, { ...request, topology: { nodes } }].map((one) => {
            const problem = problemOf(one);
            const solved = solveRing(problem, aimOf(strategy, request));
            return solved === null
              ? Number.POSITIVE_INFINITY
              : objectiveOf(problem, aimOf(strategy, request)).of(solved.ring);
          });
          if (nodes.length > 0) assert.ok((all ?? 0) <= (fewer ?? 0) * SAME, `${all} > ${fewer}`);
        }),
      );
    });

    test("looked for without trying all is found in most cases, and never too good to be true", () => {
      let [best, tried] = [0, 0];
      fc.assert(
        fc.property(measuredRequests({ layers: 12, nodes: 5 }), (request) => {
          const problem = problemOf(request);
          const objective = objectiveOf(problem, aimOf(strategy, request));
          const solved = solveRing(problem, aimOf(strategy, request));
          const found = localSearch(problem, objective, decodeCosts(problem, 1));
          if (solved === null) return assert.equal(found, null);
          tried += 1;
          if (found === null) return;
          assert.ok(objective.of(found.ring) * SAME >= objective.of(solved.ring));
          if (objective.of(found.ring) <= objective.of(solved.ring) * SAME) best += 1;
        }),
        { seed: 7 },
      );
      assert.ok(best >= 0.9 * tried, `${best} of ${tried}`);
    });
  });
}

type Problem = ReturnType<typeof problemOf>;

function ringByChance(problem: Problem, order: readonly number[], cuts: readonly number[]) {
  const nodes = order.filter((node) => node < problem.nodes.length);
  const { layerCount } = problem;
  const ends = [...new Set(cuts.slice(0, nodes.length - 1).map((cut) => cut % layerCount))]
    .filter((end) => end > 0)
    .sort((a, b) => a - b);
  const ring = [...ends, layerCount].map((end, index) => ({
    node: nodes[index] ?? 0,
    begin: ends[index - 1] ?? 0,
    end,
  }));
  const fits = ring.every(({ node, begin, end }, index) => {
    const held = problem.nodes[node];
    if (index === 0) return held?.canHead[end] === true;
    return problem.mayBegin[begin] === true && begin >= (held?.earliest[end] ?? end);
  });
  return fits && nodes.length > 0 ? ring : null;
}
