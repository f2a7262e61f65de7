import assert from "node:assert/strict";
import { describe, test } from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { nextOf } from "../../src/cluster/changes.js";
import { timeLimit } from "../../src/core/waiting.js";
import { eventually } from "../support/eventually.js";

const never = new AbortController().signal;

describe("timeLimit", () => {
  test("aborts with the other signal, and when the time is over", async () => {
    const other = new AbortController();
    const long = timeLimit(60_000, other.signal);
    other.abort();
    assert.deepEqual([long.signal.aborted, long.isOver()], [true, false]);
    long.end();
    const short = timeLimit(1, never);
    await eventually(async () => assert.deepEqual([short.signal.aborted, short.isOver()], [true, true]));
    const ended = timeLimit(1, never);
    ended.end();
    await eventually(async () => assert.ok(timeLimit(1, AbortSignal.abort()).signal.aborted));
    assert.equal(ended.signal.aborted, false);
  });

  test("wakes who waits though garbage is collected meanwhile", async () => {
    v8.setFlagsFromString("--expose-gc");
    const collect: unknown = vm.runInNewContext("gc");
    assert.ok(typeof collect === "function");
    let woken = false;
    void nextOf(() => () => {}, timeLimit(50, never).signal).then(() => {
      woken = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    collect();
    await eventually(async () => assert.ok(woken));
  });
});
