import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toRing } from "../../src/api/cluster-state.js";
import { emptyRingRecord } from "../../src/cluster/ring-record.js";

describe("a ring as the API shows it", () => {
  const asked = emptyRingRecord({ id: "r", spec: "m", replica: 0, proposedBy: "a", pinned: false });
  const shown = (reason: string | null) => toRing({ ...asked, reason }, new Map());

  test("waits when there is something that it waits for, which it names", () => {
    const { state, reason, progress } = shown("Waiting for nodes: 1 of 2 are here.");
    assert.deepEqual([state, reason, progress], ["waiting", "Waiting for nodes: 1 of 2 are here.", 0]);
  });

  test("is being loaded from the moment that it was asked for", () => {
    assert.equal(shown(null).state, "loading");
  });
});
