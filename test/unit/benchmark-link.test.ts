import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LinkQueue } from "../../benchmarks/network/link-queue.js";

describe("a link of the benchmark", () => {
  test("hands on nothing before its delay has passed, and everything then", () => {
    const queue = new LinkQueue<string>({ oneWayMs: 10 });
    queue.push("a", 1, 100);
    queue.push("b", 1, 104);
    assert.deepEqual(queue.take(109.999), []);
    assert.deepEqual(queue.take(110), ["a"]);
    assert.equal(queue.nextDue, 114);
    assert.deepEqual(queue.take(200), ["b"]);
    assert.equal(queue.nextDue, null);
  });

  test("a cap adds the time that the bytes take to pass, one piece behind the other", () => {
    const queue = new LinkQueue<string>({ oneWayMs: 5, bytesPerSecond: 1000 });
    queue.push("100 ms", 100, 0);
    queue.push("200 ms more", 200, 0);
    assert.equal(queue.nextDue, 105);
    assert.deepEqual(queue.take(105), ["100 ms"]);
    assert.equal(queue.nextDue, 305);
  });

  test("time without traffic is not saved up", () => {
    const queue = new LinkQueue<string>({ oneWayMs: 0, bytesPerSecond: 1000 });
    queue.push("a", 1, 0);
    queue.push("b", 10, 5000);
    queue.take(4999);
    assert.equal(queue.nextDue, 5010);
  });

  test("keeps order, loses nothing, and counts the bytes under way", () => {
    const piece = fc.record({ bytes: fc.nat(5000), wait: fc.nat(20) });
    const link = fc
      .record({ oneWayMs: fc.nat(50) })
      .chain(({ oneWayMs }) => fc.constantFrom({ oneWayMs }, { oneWayMs, bytesPerSecond: 12_345 }));
    fc.assert(
      fc.property(link, fc.array(piece, { maxLength: 40 }), (settings, pieces) => {
        const queue = new LinkQueue<number>(settings);
        let now = 0;
        const taken: number[] = [];
        for (const [index, { bytes, wait }] of pieces.entries()) {
          now += wait;
          taken.push(...queue.take(now));
          queue.push(index, bytes, now);
        }
        const left = pieces.slice(taken.length).reduce((sum, { bytes }) => sum + bytes, 0);
        assert.equal(queue.bytes, left);
        taken.push(...queue.take(Number.POSITIVE_INFINITY));
        assert.deepEqual(
          taken,
          pieces.map((_, index) => index),
        );
        assert.equal(queue.bytes, 0);
      }),
    );
  });
});
