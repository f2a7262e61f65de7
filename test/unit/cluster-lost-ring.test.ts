import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { lostRing, requestLike } from "../../src/cluster/lost-ring.js";
import type { MemberState } from "../../src/cluster/membership/member.js";
import type { RingRecord } from "../../src/cluster/node-record.js";
import { emptyRingRecord } from "../../src/cluster/ring-record.js";
import { SETTINGS } from "../support/manager-network.js";
import { sampleRecord } from "../support/sample-record.js";

const computing = { ubatch: 16, kvTypeK: "q8_0", kvTypeV: "f16", flashAttention: "on", wireType: "f16" };

function ring(change: Partial<RingRecord> = {}): RingRecord {
  const empty = emptyRingRecord({ id: "r", spec: "/models/tiny.gguf", replica: 0, proposedBy: "a", pinned: true });
  return { ...empty, epoch: 2, model: "tiny", state: "ready", contextSize: 96, slots: 3, computing, ...change };
}

const member = (state: MemberState, ...rings: readonly RingRecord[]) => ({
  state,
  record: { ...sampleRecord({ id: "a" }), rings: [...rings] },
});

describe("a ring whose head is gone", () => {
  test("is known by its name and its spec, as long as the head is remembered", () => {
    for (const name of ["tiny", "/models/tiny.gguf"]) assert.equal(lostRing([member("gone", ring())], name)?.id, "r");
    assert.equal(lostRing([member("gone", ring())], "other"), null);
    assert.equal(lostRing([], "tiny"), null);
  });

  test("is none where the head is there, or had it no more, or never had it", () => {
    for (const state of ["alive", "suspect"] as const) assert.equal(lostRing([member(state, ring())], "tiny"), null);
    for (const change of [{ draining: true }, { gaveUp: true }, { epoch: 0 }]) {
      assert.equal(lostRing([member("gone", ring(change))], "tiny"), null);
    }
  });

  test("is none by a name that two models had", () => {
    const other = ring({ spec: "/models/other/tiny.gguf", askedAs: "/models/other/tiny.gguf" });
    assert.equal(lostRing([member("gone", ring(), other)], "tiny"), null);
    assert.equal(lostRing([member("gone", ring(), other)], other.spec)?.spec, other.spec);
  });

  test("is asked for again as it was", () => {
    const request = requestLike(ring(), { ...SETTINGS, ctx: 512, kv: "f16" });
    const { ubatch, ...types } = computing;
    assert.deepEqual(
      [request.spec, request.contextSize, request.pinned, request.head],
      ["/models/tiny.gguf", 96, true, null],
    );
    assert.deepEqual(request.ring, { slots: 3, batchSize: ubatch, microBatchSize: ubatch, ...types });
  });

  test("is asked for with this node's settings where its record makes no sense", () => {
    const { ring: settings } = requestLike(ring({ computing: { ...computing, kvTypeK: "q99" } }), SETTINGS);
    assert.equal(settings.kvTypeK, SETTINGS.kv);
  });
});
