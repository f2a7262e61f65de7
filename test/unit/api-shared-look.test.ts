import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sharedLook } from "../../src/api/shared-look.js";

const never = (): Promise<void> => new Promise(() => {});

describe("a look that several ask for", () => {
  test("is made once at a time, and anew when it is over", async () => {
    const finishes: ((answer: number) => void)[] = [];
    const look = sharedLook(() => new Promise<number>((resolve) => finishes.push(resolve)), never);
    const both = [look(), look()];
    assert.equal(finishes.length, 1);
    finishes[0]?.(7);
    assert.deepEqual(await Promise.all(both), [7, 7]);
    const third = look();
    assert.equal(finishes.length, 2);
    finishes[1]?.(8);
    assert.equal(await third, 8);
  });

  test("that fails is told to all, and the next one is made all the same", async () => {
    let looks = 0;
    const look = sharedLook(async () => {
      looks += 1;
      if (looks === 1) throw new Error("It broke.");
      return looks;
    }, never);
    const both = await Promise.allSettled([look(), look()]);
    assert.deepEqual(
      both.map(({ status }) => status),
      ["rejected", "rejected"],
    );
    assert.equal(await look(), 2);
  });

  test("is not waited for beyond its time, and not begun again while it goes on", async () => {
    let looks = 0;
    let finish = (_answer: string): void => {};
    let isOver = true;
    const look = sharedLook(
      () => {
        looks += 1;
        return new Promise<string>((resolve) => {
          finish = resolve;
        });
      },
      () => (isOver ? Promise.resolve() : never()),
    );
    await assert.rejects(look(), { code: "deadline_exceeded" });
    isOver = false;
    const late = look();
    finish("found");
    assert.equal(await late, "found");
    assert.equal(looks, 1);
  });
});
