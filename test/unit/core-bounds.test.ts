import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AsyncQueue } from "../../src/core/async-queue.js";
import { BoundedMap } from "../../src/core/bounded-map.js";
import { unlessStalled } from "../../src/core/unless-stalled.js";

describe("a map with room for so many", () => {
  test("forgets what was set longest ago", () => {
    const map = new BoundedMap<string, number>(2);
    map.set("a", 1).set("b", 2).set("a", 3).set("c", 4);
    assert.deepEqual(
      [...map],
      [
        ["a", 3],
        ["c", 4],
      ],
    );
  });
});

describe("a queue of which only the newest counts", () => {
  test("holds the first few, and the newest of each kind, however many come unread", async () => {
    const queue = new AsyncQueue<{ readonly kind: string; readonly at: number }>();
    for (let at = 0; at < 1000; at += 1) {
      const item = { kind: at < 600 ? "fetch" : "load", at };
      queue.pushOver(item, ({ kind }) => kind === item.kind);
    }
    assert.equal(queue.length, 17);
    queue.end();
    const read: number[] = [];
    for await (const { at } of queue) read.push(at);
    assert.deepEqual(read, [...Array(15).keys(), 599, 999]);
  });
});

describe("a stream that may not stall", () => {
  test("gives its pieces, and tells its source when nobody reads any more", async () => {
    let left = false;
    const open = async function* (): AsyncGenerator<number> {
      try {
        yield* [1, 2, 3];
      } finally {
        left = true;
      }
    };
    for await (const piece of unlessStalled(open, 60_000, new AbortController().signal)) if (piece === 2) break;
    assert.equal(left, true);
  });

  test("ends with an error when nothing comes, and has its source stop", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const open = async function* (signal: AbortSignal): AsyncGenerator<number> {
      yield 1;
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    };
    const pieces = unlessStalled(open, 5000, new AbortController().signal);
    assert.equal((await pieces.next()).value, 1);
    const next = pieces.next();
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(5000);
    await assert.rejects(next, { code: "deadline_exceeded", message: "Nothing came for 5 s." });
  });
});
