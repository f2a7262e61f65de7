import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { HopBeats } from "../../src/transport/hop-beats.js";

const BEAT_MS = 500;
const STEP_MS = 50;

function listen(context: TestContext) {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const time = { now: 0, wellAt: null as number | null, ended: null as number | null };
  const beats = new HopBeats({
    beatMs: BEAT_MS,
    clock: { monotonic: () => time.now, wall: () => time.now },
    wellAt: () => time.wellAt,
    onSilent: () => {
      time.ended ??= time.now;
      beats.stop();
    },
  });
  context.after(() => beats.stop());
  const pass = (milliseconds: number): void => {
    for (const end = time.now + milliseconds; time.now < end; ) {
      time.now += STEP_MS;
      context.mock.timers.tick(STEP_MS);
    }
  };
  return { time, beats, pass };
}

describe("a hop whose beats stop", () => {
  test("is dead in about a second when its node answers elsewhere what was asked since", (t) => {
    const { time, pass } = listen(t);
    pass(1000);
    time.wellAt = 1000;
    pass(500);
    assert.ok(time.ended !== null);
  });

  test("is waited for when its node has answered nothing since either", (t) => {
    const { time, beats, pass } = listen(t);
    time.wellAt = 900;
    pass(4500);
    assert.equal(time.ended, null);
    beats.heard();
    pass(4500);
    assert.equal(time.ended, null);
    pass(1000);
    assert.ok(time.ended !== null);
  });

  test("lives while they come, however unevenly", (t) => {
    const { time, beats, pass } = listen(t);
    for (const pause of [500, 100, 1000, 50, 950, 500]) {
      pass(pause);
      time.wellAt = time.now;
      beats.heard();
    }
    assert.equal(time.ended, null);
  });

  test("is not judged by a process that did not run", (t) => {
    const { time, pass } = listen(t);
    pass(500);
    time.now += 60_000;
    time.wellAt = time.now;
    t.mock.timers.tick(100);
    assert.equal(time.ended, null);
  });
});
