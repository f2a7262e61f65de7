import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Attention } from "../../src/core/attention.js";
import type { Clock } from "../../src/core/ports.js";
import { Silence } from "../../src/core/silence.js";

/** A clock that shows what the test says. */
function clockAt(): Clock & { now: number } {
  return {
    now: 0,
    monotonic() {
      return this.now;
    },
    wall: () => 0,
  };
}

const LIMITS = { leastMs: 600, mostMs: 4000 };

describe("the time that a process listens", () => {
  test("is the time that passes, as long as it looks in time", () => {
    const clock = clockAt();
    const attention = new Attention(clock, 100);
    for (let look = 1; look <= 10; look += 1) {
      clock.now = 100 * look;
      attention.look();
    }
    assert.equal(attention.listened(), 1000);
    assert.equal(attention.lapses, 0);
  });

  test("does not go on while it is stopped", () => {
    const clock = clockAt();
    const attention = new Attention(clock, 100);
    clock.now = 100;
    attention.look();
    clock.now = 60_000;
    assert.equal(attention.listened(), 200);
    assert.equal(attention.look(), 200);
    assert.equal(attention.lapses, 1);
  });

  test("goes on between two looks", () => {
    const clock = clockAt();
    const attention = new Attention(clock, 100);
    clock.now = 70;
    assert.equal(attention.listened(), 70);
  });
});

describe("silence", () => {
  test("is not found where nothing is due", () => {
    const silence = new Silence(LIMITS);
    assert.equal(silence.judge(1_000_000), false);
  });

  test("is found once, when what is due does not come", () => {
    const silence = new Silence(LIMITS);
    silence.asked(1000);
    assert.deepEqual(
      [1500, 1599, 1600, 1700].map((now) => silence.judge(now)),
      [false, false, true, false],
    );
    assert.equal(silence.isSilent, true);
  });

  test("is counted from the first question that was not answered", () => {
    const silence = new Silence(LIMITS);
    silence.asked(0);
    silence.asked(500);
    assert.equal(silence.judge(600), true);
  });

  test("is broken by any other sign", () => {
    const silence = new Silence(LIMITS);
    silence.asked(0);
    for (let now = 300; now < 6000; now += 300) {
      silence.heard(now);
      assert.equal(silence.judge(now + 299), false);
    }
    assert.equal(silence.judge(6400), true);
    silence.heard(6500);
    assert.equal(silence.isSilent, false);
  });

  test("is waited for longer where answers are slow, and for as long as before when they are fast again", () => {
    const silence = new Silence(LIMITS);
    silence.asked(0);
    silence.answered(600);
    assert.equal(silence.patienceMs, 900);
    silence.asked(10_000);
    assert.equal(silence.judge(10_899), false);
    silence.answered(10_005);
    for (let at = 20_000; at < 20_000 + 63 * 500; at += 500) {
      silence.asked(at);
      silence.answered(at + 5);
    }
    assert.equal(silence.patienceMs, 600);
  });

  test("that ends teaches patience bit by bit, and never without bounds", () => {
    const silence = new Silence(LIMITS);
    const patience: number[] = [];
    for (let pause = 0; pause < 6; pause += 1) {
      silence.asked(0);
      assert.equal(silence.judge(4000), true);
      silence.answered(4000);
      patience.push(silence.patienceMs);
    }
    assert.deepEqual(patience, [900, 1350, 2025, 3037.5, 4000, 4000]);
  });

  test("that is longer than any slowness teaches nothing", () => {
    const silence = new Silence(LIMITS);
    silence.asked(0);
    assert.equal(silence.judge(60_000), true);
    silence.answered(60_000);
    assert.equal(silence.isSilent, false);
    assert.equal(silence.patienceMs, 600);
  });
});
