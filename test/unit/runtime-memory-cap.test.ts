import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { besideHeadBytes } from "../../src/cluster/place.js";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger } from "../../src/core/ports.js";
import { stageMemory, totalBytes } from "../../src/model/memory-estimate.js";
import { type PlacementRequest, placeModel } from "../../src/planning/placement.js";
import type { Plan } from "../../src/planning/plan.js";
import { stageBytes } from "../../src/planning/stages.js";
import { MemoryCap } from "../../src/runtime/memory-cap.js";
import { MIB, modelOf, NEEDS, nodeOf } from "./planning-models.js";

function refused(thrown: unknown): boolean {
  assert.ok(thrown instanceof ExoError && thrown.code === "out_of_memory", String(thrown));
  return true;
}

describe("MemoryCap", () => {
  test("lets nothing pass that is more than what is left, and says both numbers and what to do", async () => {
    const cap = new MemoryCap(100 * MIB, silentLogger);
    await cap.claim(60 * MIB, "One");
    await assert.rejects(cap.claim(50 * MIB, "Layers [3, 5) of m"), (thrown: Error) => {
      assert.match(
        thrown.message,
        /^Layers \[3, 5\) of m needs 50\.0 MiB, and of the 100\.0 MiB .* 40\.0 MiB are free\./,
      );
      assert.match(thrown.message, /--memory/);
      return refused(thrown);
    });
    await cap.claim(40 * MIB, "Another");
    assert.equal(cap.taken, 100 * MIB);
  });

  test("lets one of two pass that are asked for at once", async () => {
    const cap = new MemoryCap(100, silentLogger);
    const [first, second] = await Promise.allSettled([cap.claim(60, "One"), cap.claim(60, "Another")]);
    assert.deepEqual([first.status, second.status], ["fulfilled", "rejected"]);
  });

  test("takes anything where the owner set no limit", async () => {
    const cap = new MemoryCap(null, silentLogger);
    await cap.claim(Number.MAX_SAFE_INTEGER, "All");
    await cap.claim(1, "More");
  });

  test("counts what was loaded as it is, and keeps it though it is more than was planned", async () => {
    const cap = new MemoryCap(100, silentLogger);
    const small = await cap.claim(60, "One");
    small.became(30);
    const large = await cap.claim(70, "Another");
    large.became(75);
    assert.equal(cap.taken, 105);
    await assert.rejects(cap.claim(1, "More"), refused);
    large.release();
    large.release();
    assert.equal(cap.taken, 30);
  });

  test("waits for memory that is being given back, and counts it until it is", async () => {
    const cap = new MemoryCap(100, silentLogger);
    const old = await cap.claim(80, "Old");
    let closed: () => void = () => {};
    old.releaseAfter(new Promise<void>((resolve) => (closed = resolve)));
    const waiting = cap.claim(90, "New");
    assert.equal(cap.taken, 80);
    closed();
    await waiting;
    assert.equal(cap.taken, 90);
  });

  test("refuses at once what would not fit after that either, when it is there", async () => {
    const cap = new MemoryCap(100, silentLogger);
    const old = await cap.claim(20, "Old");
    await cap.claim(60, "Stays");
    old.releaseAfter(Promise.reject(new Error("it broke while it was closed")));
    await assert.rejects(cap.claim(50, "New"), refused);
    assert.equal(cap.taken, 60, "what could not be closed cleanly is gone too");
  });

  test("does not go on for who left while he waited", async () => {
    const cap = new MemoryCap(100, silentLogger);
    const old = await cap.claim(80, "Old");
    let closed: () => void = () => {};
    old.releaseAfter(new Promise<void>((resolve) => (closed = resolve)));
    const left = new AbortController();
    const waiting = cap.claim(90, "New", left.signal);
    left.abort();
    closed();
    await assert.rejects(waiting, { code: "cancelled" });
    assert.equal(cap.taken, 0);
  });
});

describe("what is planned and what is enforced", () => {
  const info = fc
    .record({
      layerBytes: fc.array(fc.integer({ min: 1, max: 60 * MIB }), { minLength: 1, maxLength: 12 }),
      embeddingBytes: fc.integer({ min: 0, max: 100 * MIB }),
      outputBytes: fc.integer({ min: 0, max: 100 * MIB }),
      sharedBytes: fc.integer({ min: 0, max: MIB }),
      tiedEmbedding: fc.boolean(),
      tiedCopyBytes: fc.integer({ min: 0, max: MIB }),
      elements: fc.integer({ min: 1, max: 999 }),
    })
    .map(({ layerBytes, elements, ...ends }) => {
      const layerState = layerBytes.map(() => ({ keyElements: elements, valueElements: elements, fixedBytes: 1 }));
      return modelOf(layerBytes, { ...ends, layerState });
    });
  const asked: fc.Arbitrary<PlacementRequest> = fc
    .record({
      info,
      caps: fc.array(fc.integer({ min: 1, max: 600 * MIB }), { minLength: 1, maxLength: 4 }),
      kvType: fc.constantFrom("f16" as const, "q8_0" as const, "q4_1" as const),
      contextSize: fc.integer({ min: 1, max: 9000 }),
      draft: fc.option(info),
    })
    .map(({ info: whole, caps, kvType, contextSize, draft }) => {
      const needs = { ...NEEDS, kvType, kvTypeV: kvType, contextSize, slots: 3, ubatch: 64 };
      return {
        model: "m",
        info: whole,
        needs,
        topology: { nodes: caps.map((bytes, index) => nodeOf(`n${index}`, bytes)) },
        besideHead: draft === null ? 0 : besideHeadBytes(draft, needs),
      };
    });

  test("count alike: a stage that was planned to fit is not refused", async () => {
    await fc.assert(
      fc.asyncProperty(asked, async (request) => {
        const plan = planned(request);
        if (plan === null) return;
        for (const [index, stage] of plan.stages.entries()) {
          const node = request.topology.nodes.find(({ id }) => id === stage.nodeId);
          const cap = new MemoryCap(node?.memoryCap ?? 0, silentLogger);
          // As a head and as another node's host count it.
          const part = { begin: stage.layerBegin, end: stage.layerEnd, hasEmbedding: false, hasOutput: false };
          const bytes = index === 0 ? stageBytes(stage) : totalBytes(stageMemory(request.info, part, request.needs));
          await cap.claim(bytes, stage.nodeId);
        }
      }),
    );
  });

  function planned(request: PlacementRequest): Plan | null {
    try {
      return placeModel(request);
    } catch (thrown) {
      refused(thrown);
      return null;
    }
  }
});
