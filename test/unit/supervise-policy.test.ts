import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RestartPolicy } from "../../src/cli/supervise/restart-policy.js";
import { SuspectModels } from "../../src/cli/supervise/suspect-models.js";

const MINUTE = 60_000;

describe("starting a node again", () => {
  test("the wait doubles up to half a minute", () => {
    const policy = new RestartPolicy();
    const waits = Array.from({ length: 9 }, () => policy.next(MINUTE));
    assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    assert.equal(policy.inARow, 9);
  });

  test("after some minutes of health it is short again", () => {
    const policy = new RestartPolicy();
    policy.next(MINUTE);
    policy.next(MINUTE);
    assert.equal(policy.next(5 * MINUTE), 500);
    assert.equal(policy.inARow, 1);
  });

  test("a node that crashes at each start is given up, one that runs in between is not", () => {
    const policy = new RestartPolicy();
    for (let at = 0; at < 5; at++) assert.notEqual(policy.next(800), null);
    assert.notEqual(policy.next(20_000), null);
    for (let at = 0; at < 5; at++) assert.notEqual(policy.next(800), null);
    assert.equal(policy.next(800), null);
  });
});

describe("models that crash the node", () => {
  test("one that was there three times in a row is refused, and stays so", () => {
    const suspects = new SuspectModels();
    assert.deepEqual(suspects.crashedWith(["a"], false), []);
    assert.deepEqual(suspects.crashedWith(["a", "b", "a"], false), []);
    assert.deepEqual(suspects.crashedWith(["a"], false), ["a"]);
    assert.deepEqual(suspects.refused(), [{ path: "a", crashes: 3 }]);
    assert.deepEqual(suspects.crashedWith([], true), []);
    assert.deepEqual(suspects.refused(), [{ path: "a", crashes: 3 }]);
  });

  test("a crash without it, or a time of health, clears it", () => {
    const suspects = new SuspectModels();
    suspects.crashedWith(["a"], false);
    suspects.crashedWith(["a"], false);
    suspects.crashedWith(["b"], false);
    suspects.crashedWith(["a"], false);
    suspects.crashedWith(["a"], false);
    assert.deepEqual(suspects.crashedWith(["a"], true), []);
    assert.deepEqual(suspects.refused(), []);
  });
});
