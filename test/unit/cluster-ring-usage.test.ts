import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RingUsage } from "../../src/cluster/ring-usage.js";

const anySignal = new AbortController().signal;

function usageAt() {
  const time = { ms: 0 };
  return { time, usage: new RingUsage({ monotonic: () => time.ms, wall: () => time.ms }) };
}

describe("RingUsage", () => {
  test("counts idle time from the end of the last request", async () => {
    const { time, usage } = usageAt();
    const end = await usage.begin(anySignal);
    time.ms = 10_000;
    assert.equal(usage.idleSeconds(), null);
    end();
    end();
    assert.equal(usage.running, 0);
    time.ms = 12_000;
    assert.equal(usage.idleSeconds(), 2);
  });

  test("a ring that was just loaded is not idle before somebody can have asked", () => {
    const { time, usage } = usageAt();
    usage.loaded();
    time.ms = 4_000;
    assert.equal(usage.idleSeconds(), null);
    time.ms = 6_000;
    assert.equal(usage.idleSeconds(), 6);
  });

  test("what comes while it is held waits until it is released, or until nobody waits any more", async () => {
    const { usage } = usageAt();
    usage.hold();
    const left = new AbortController();
    const begun: string[] = [];
    const waiting = usage.begin(anySignal).then(() => begun.push("waiting"));
    const leaving = usage.begin(left.signal).then(() => begun.push("left"));
    left.abort();
    await leaving;
    assert.deepEqual(begun, ["left"]);
    usage.release();
    await waiting;
    assert.deepEqual(begun, ["left", "waiting"]);
  });
});
