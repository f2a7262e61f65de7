import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { SendQueue } from "../../src/runtime/send-queue.js";
import type { OutgoingFrame } from "../../src/transport/frame.js";

function frame(number: number): OutgoingFrame {
  const bytes = Uint8Array.of(number);
  return { message: bytes, frame: bytes };
}

/** A frame that is made when the test says so. */
function work(): { readonly promise: Promise<OutgoingFrame>; done(number: number): void; fail(error: ExoError): void } {
  let done: (number: number) => void = () => {};
  let fail: (error: ExoError) => void = () => {};
  const promise = new Promise<OutgoingFrame>((resolve, reject) => {
    done = (number) => resolve(frame(number));
    fail = reject;
  });
  return { promise, done: (number) => done(number), fail: (error) => fail(error) };
}

function recorded(sending: (number: number) => Promise<void> = async () => {}) {
  const sent: number[] = [];
  const queue = new SendQueue((outgoing) => {
    sent.push(outgoing.frame[0] ?? -1);
    return sending(outgoing.frame[0] ?? -1);
  });
  return { queue, sent };
}

describe("SendQueue", () => {
  test("sends in the order of the work's beginning", async () => {
    const { queue, sent } = recorded();
    const [first, second, third] = [work(), work(), work()];
    const all = [first, second, third].map(({ promise }) => queue.add(promise));
    third.done(3);
    second.done(2);
    await Promise.resolve();
    assert.deepEqual(sent, []);
    first.done(1);
    await Promise.all(all);
    assert.deepEqual(sent, [1, 2, 3]);
  });

  test("leaves out what could not be made, and says so to who asked", async () => {
    const { queue, sent } = recorded();
    const [first, second] = [work(), work()];
    const refused = assert.rejects(queue.add(first.promise), { message: "broken work" });
    const after = queue.add(second.promise);
    second.done(2);
    first.fail(new ExoError("internal", "broken work"));
    await Promise.all([refused, after]);
    assert.deepEqual(sent, [2]);
  });

  test("sends nothing after a failure to send", async () => {
    const { queue, sent } = recorded(async (number) => {
      if (number === 2) throw new ExoError("stage_lost", "gone");
    });
    await queue.add(Promise.resolve(frame(1)));
    await assert.rejects(queue.add(Promise.resolve(frame(2))), { code: "stage_lost" });
    await assert.rejects(queue.add(Promise.resolve(frame(3))), { code: "stage_lost", message: "gone" });
    assert.deepEqual(sent, [1, 2]);
  });
});
