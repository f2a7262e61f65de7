import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AsyncQueue } from "../../src/core/async-queue.js";

async function allOf<Item>(queue: AsyncQueue<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

describe("AsyncQueue", () => {
  test("gives what was pushed in order, then the end or the error", async () => {
    const queue = new AsyncQueue<number>();
    for (const item of [1, 2, 3]) queue.push(item);
    queue.end();
    queue.push(4);
    assert.deepEqual(await allOf(queue), [1, 2, 3]);
    const failing = new AsyncQueue<number>();
    failing.push(1);
    failing.fail(new Error("over"));
    await assert.rejects(allOf(failing), /over/);
  });

  test("tells once when everything is read, and how much is not", async () => {
    const queue = new AsyncQueue<number>();
    let told = 0;
    for (const item of [1, 2, 3]) queue.push(item);
    queue.whenRead(() => {
      told += 1;
    });
    assert.equal(queue.length, 3);
    const reader = queue[Symbol.asyncIterator]();
    await reader.next();
    await reader.next();
    assert.deepEqual([queue.length, told], [1, 0]);
    await reader.next();
    assert.deepEqual([queue.length, told], [0, 1]);
    queue.push(4);
    await reader.next();
    assert.equal(told, 1);
  });
});
