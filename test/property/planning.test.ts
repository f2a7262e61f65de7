import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ExoError } from "../../src/core/errors.js";
import { totalBytes } from "../../src/model/memory-estimate.js";
import { modelCost } from "../../src/planning/cost.js";
import { type PlacementRequest, placeModel } from "../../src/planning/placement.js";
import type { Plan } from "../../src/planning/plan.js";
import { usableMemory } from "../../src/planning/topology.js";
import { MIB, modelOf, NEEDS, nodeOf } from "../unit/planning-models.js";

const model = fc
  .record({
    layerBytes: fc.array(fc.integer({ min: 1, max: 60 * MIB }), { minLength: 1, maxLength: 40 }),
    embeddingBytes: fc.integer({ min: 0, max: 200 * MIB }),
    outputBytes: fc.integer({ min: 0, max: 200 * MIB }),
    tiedEmbedding: fc.boolean(),
  })
  .map(({ layerBytes, ...ends }) => modelOf(layerBytes, ends));

const nodes = fc
  .uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 8 })
  .chain((ids) =>
    fc.tuple(...ids.map((id) => fc.integer({ min: 1, max: 3000 }).map((mebibytes) => nodeOf(id, mebibytes * MIB)))),
  );

const request: fc.Arbitrary<PlacementRequest> = fc
  .record({ info: model, nodes })
  .map(({ info, nodes }) => ({ model: "m", info, topology: { nodes }, needs: NEEDS }));

/** The plan, or `null` where the nodes cannot hold the model. */
function placed(wanted: PlacementRequest): Plan | null {
  try {
    return placeModel(wanted);
  } catch (thrown) {
    assert.ok(thrown instanceof ExoError && thrown.code === "out_of_memory", String(thrown));
    return null;
  }
}

function usableOf(wanted: PlacementRequest, nodeId: string): number {
  const node = wanted.topology.nodes.find(({ id }) => id === nodeId);
  return node === undefined ? 0 : usableMemory(node);
}

describe("memory-weighted placement", () => {
  test("covers [0, L) without gap or overlap, each stage with a layer, each node at most once", () => {
    fc.assert(
      fc.property(request, (wanted) => {
        const plan = placed(wanted);
        if (plan === null) return;
        let next = 0;
        for (const stage of plan.stages) {
          assert.equal(stage.layerBegin, next);
          assert.ok(stage.layerEnd > stage.layerBegin);
          next = stage.layerEnd;
        }
        assert.equal(next, wanted.info.layerCount);
        const named = [...plan.stages, ...plan.unused].map(({ nodeId }) => nodeId);
        assert.deepEqual(named.sort(), wanted.topology.nodes.map(({ id }) => id).sort());
      }),
    );
  });

  test("keeps every stage within its node's memory", () => {
    fc.assert(
      fc.property(request, (wanted) => {
        for (const stage of placed(wanted)?.stages ?? []) {
          assert.ok(totalBytes(stage.memory) <= usableOf(wanted, stage.nodeId));
        }
      }),
    );
  });

  test("gives the head the embedding, the output head and layer 0, and no other stage either end", () => {
    fc.assert(
      fc.property(request, (wanted) => {
        const plan = placed(wanted);
        if (plan === null) return;
        assert.equal(plan.stages[0]?.nodeId, plan.head);
        assert.deepEqual(
          plan.stages.map(({ hasEmbedding, hasOutput }) => [hasEmbedding, hasOutput]),
          plan.stages.map((_, index) => [index === 0, index === 0]),
        );
      }),
    );
  });

  test("does not depend on the order in which nodes are listed", () => {
    fc.assert(
      fc.property(request, fc.infiniteStream(fc.nat()), (wanted, keys) => {
        const order = new Map(wanted.topology.nodes.map(({ id }) => [id, keys.next().value ?? 0]));
        const shuffled = wanted.topology.nodes.toSorted((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0));
        const plan = placed(wanted);
        const other = placed({ ...wanted, topology: { nodes: shuffled } });
        assert.deepEqual(other?.stages, plan?.stages);
        assert.equal(other?.head, plan?.head);
      }),
    );
  });

  test("finds a place whenever the node with most memory could hold everything", () => {
    fc.assert(
      fc.property(request, (wanted) => {
        const cost = modelCost(wanted.info, NEEDS);
        const most = Math.max(...wanted.topology.nodes.map(usableMemory));
        if (cost.bytes(0, cost.layerCount, true) <= most) assert.ok(placed(wanted) !== null);
      }),
    );
  });

  test("is proportional within a layer where memory is ample and layers are alike", () => {
    const ample = fc.array(fc.integer({ min: 2000, max: 20_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 60 }), ample, (layers, sizes) => {
        const sum = sizes.reduce((a, b) => a + b, 0);
        // A node gets a whole layer at least, which others would have to make up for.
        fc.pre((layers * Math.min(...sizes)) / sum >= 1);
        const given = sizes.map((mebibytes, index) => nodeOf(`n${index}`, mebibytes * MIB));
        const info = modelOf(new Array<number>(layers).fill(MIB));
        const plan = placeModel({ model: "m", info, topology: { nodes: given }, needs: NEEDS });
        for (const { nodeId, layerBegin, layerEnd } of plan.stages) {
          const share = (layers * (sizes[Number(nodeId.slice(1))] ?? 0)) / sum;
          assert.ok(Math.abs(layerEnd - layerBegin - share) < 1.5, `${layerEnd - layerBegin} for ${share}`);
        }
      }),
    );
  });
});

describe("placement by hand", () => {
  test("what the planner chose is accepted when given by hand", () => {
    fc.assert(
      fc.property(request, (wanted) => {
        const plan = placed(wanted);
        if (plan === null) return;
        const layers = plan.stages.map(({ nodeId, layerBegin, layerEnd }) => ({
          node: nodeId,
          begin: layerBegin,
          end: layerEnd,
        }));
        assert.deepEqual(placeModel({ ...wanted, layers }).stages, plan.stages);
      }),
    );
  });
});
