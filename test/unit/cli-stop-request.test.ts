import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, test } from "node:test";
import { stopWithNpm } from "../../src/cli/npm-parent.js";
import { StopRequest } from "../../src/cli/stop-request.js";

describe("asking to stop", () => {
  function setUp() {
    const process = new EventEmitter();
    const at = { now: 0, forced: 0 };
    const stop = new StopRequest(
      process,
      () => at.now,
      () => {
        at.forced += 1;
      },
    );
    return { process, at, stop };
  }

  test("the first Ctrl-C asks, a second one ends at once", async () => {
    const { process, at, stop } = setUp();
    assert.equal(stop.signal.aborted, false);
    process.emit("SIGINT");
    await stop.wait();
    at.now = 5000;
    process.emit("SIGINT");
    assert.equal(at.forced, 1);
  });

  test("one Ctrl-C that comes twice, by the terminal and by npm, is one", () => {
    const { process, at, stop } = setUp();
    process.emit("SIGINT");
    at.now = 20;
    process.emit("SIGINT");
    assert.equal(stop.signal.aborted, true);
    assert.equal(at.forced, 0);
  });

  test("termination and the end of the owner count too", () => {
    for (const name of ["SIGTERM", "SIGHUP", "disconnect"]) {
      const { process, stop } = setUp();
      process.emit(name);
      assert.equal(stop.signal.aborted, true, name);
    }
  });

  test("under npm the end of its shell counts, and only under npm", (context) => {
    context.mock.timers.enable({ apis: ["setInterval"] });
    for (const [env, stopped] of [
      [{ npm_lifecycle_event: "start" }, true],
      [{}, false],
    ] as const) {
      const { stop } = setUp();
      let parent = 100;
      stopWithNpm(stop, env, () => parent);
      context.mock.timers.tick(10_000);
      assert.equal(stop.signal.aborted, false);
      parent = 1;
      context.mock.timers.tick(10_000);
      assert.equal(stop.signal.aborted, stopped);
    }
  });

  test("after release signals are not ours", () => {
    const { process, stop } = setUp();
    stop.release();
    assert.equal(process.eventNames().length, 0);
  });
});
