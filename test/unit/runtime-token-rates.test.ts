import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TokenRates } from "../../src/runtime/token-rates.js";

/** A clock that a test moves, and rates that go by it. */
function ratesWithClock() {
  const clock = { at: 0, monotonic: () => clock.at, wall: () => clock.at };
  return { clock, rates: new TokenRates(clock) };
}

describe("token rates", () => {
  test("nothing computed is no speed", () => {
    const { rates } = ratesWithClock();
    assert.deepEqual(rates.now(), { decode: 0, prompt: 0 });
  });

  test("decode and prompt are counted apart, over the time that they took", () => {
    const { clock, rates } = ratesWithClock();
    clock.at = 2000;
    rates.landed({ decoded: 0, promptRows: 512, seconds: 2 });
    for (let token = 0; token < 20; token += 1) {
      clock.at += 50;
      rates.landed({ decoded: 1, promptRows: 0, seconds: 0.05 });
    }
    const { decode, prompt } = rates.now();
    assert.equal(Math.round(decode), 20);
    assert.equal(Math.round(prompt), 256);
  });

  test("micro-batches that are under way at the same time add up", () => {
    const { clock, rates } = ratesWithClock();
    for (clock.at = 100; clock.at <= 2000; clock.at += 50) rates.landed({ decoded: 2, promptRows: 0, seconds: 0.1 });
    assert.equal(Math.round(rates.now().decode), Math.round((39 * 2) / 2));
  });

  test("a pause between two answers does not make them slower", () => {
    const { clock, rates } = ratesWithClock();
    clock.at = 1000;
    rates.landed({ decoded: 10, promptRows: 0, seconds: 1 });
    clock.at = 8000;
    rates.landed({ decoded: 10, promptRows: 0, seconds: 1 });
    assert.equal(rates.now().decode, 10);
  });

  test("what is older than the window is forgotten", () => {
    const { clock, rates } = ratesWithClock();
    clock.at = 1000;
    rates.landed({ decoded: 10, promptRows: 3, seconds: 1 });
    clock.at = 11_001;
    assert.deepEqual(rates.now(), { decode: 0, prompt: 0 });
  });

  test("a fast ring keeps no more of the past than a slow one, and counts all of it", () => {
    const { clock, rates } = ratesWithClock();
    for (clock.at = 1; clock.at <= 9000; clock.at += 1) rates.landed({ decoded: 1, promptRows: 0, seconds: 0.001 });
    assert.equal(Math.round(rates.now().decode), 1000);
  });
});
