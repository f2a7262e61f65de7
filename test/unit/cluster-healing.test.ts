import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Healing } from "../../src/cluster/healing.js";
import { ExoError } from "../../src/core/errors.js";

function healing() {
  const time = { now: 0 };
  const clock = { monotonic: () => time.now, wall: () => time.now };
  return { time, made: new Healing({ retryMs: 2_000, clock, onGivenUp: () => {} }) };
}

const lost = new ExoError("stage_lost", "Node b left the ring.");

describe("Healing", () => {
  test("tries at once, then ever more seldom, and no more seldom than what never worked", () => {
    const { made } = healing();
    assert.equal(made.nextPause(), 2_000);
    made.broke(lost);
    assert.deepEqual(
      Array.from({ length: 9 }, () => made.nextPause()),
      [0, 50, 100, 200, 400, 800, 1_600, 2_000, 2_000],
    );
    made.end();
    assert.equal(made.nextPause(), 2_000);
    made.broke(lost);
    assert.equal(made.nextPause(), 0);
    made.end();
  });

  test("is waited for a while", () => {
    const { made, time } = healing();
    assert.deepEqual([made.isUnderWay, made.isFresh], [false, false]);
    made.broke(lost);
    time.now = 9_999;
    assert.deepEqual([made.isUnderWay, made.isFresh], [true, true]);
    time.now = 10_000;
    assert.deepEqual([made.isUnderWay, made.isFresh], [true, false]);
    made.end();
    assert.deepEqual([made.isUnderWay, made.isFresh], [false, false]);
  });

  test("says why it broke beside what it waits for", () => {
    const { made } = healing();
    assert.equal(made.explain("It needs 2 nodes."), "It needs 2 nodes.");
    made.broke(lost);
    assert.equal(made.explain(lost.message), lost.message);
    assert.equal(
      made.explain("It needs 2 nodes."),
      "It needs 2 nodes. The ring broke before that: Node b left the ring.",
    );
    made.end();
  });
});
