import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLogger } from "../../src/core/ports.js";
import { MemoryWatch } from "../../src/runtime/memory-watch.js";

const GIB = 2 ** 30;

function watchOver(memory: { free: number; total: number } | null, files: Record<string, string> = {}) {
  return new MemoryWatch({ memory: () => memory, logger: silentLogger, readText: async (path) => files[path] ?? null });
}

describe("the watch over memory", () => {
  test("has nothing to say where there is enough, or where nobody knows", async () => {
    for (const watch of [watchOver({ free: 8 * GIB, total: 16 * GIB }), watchOver(null)]) {
      await watch.look();
      assert.equal(watch.notice(), null);
      watch.requireRoom();
    }
  });

  test("refuses further models when little is left, names both numbers, and takes them again after that", async () => {
    const memory = { free: 100 * 2 ** 20, total: 16 * GIB };
    const watch = watchOver(memory);
    await watch.look();
    assert.match(watch.notice() ?? "", /100\.0 MiB of 16\.0 GiB/);
    assert.throws(() => watch.requireRoom(), { code: "out_of_memory" });
    memory.free = 2 * GIB;
    await watch.look();
    watch.requireRoom();
  });

  test("asks little of a small machine", async () => {
    const watch = watchOver({ free: 30 * 2 ** 20, total: GIB });
    await watch.look();
    assert.equal(watch.notice(), null);
  });

  test("refuses them while everything waits for memory", async () => {
    const text = "some avg10=90.00 avg60=9.00 avg300=1.00 total=1\nfull avg10=61.50 avg60=6.00 avg300=1.00 total=1\n";
    const watch = watchOver({ free: 8 * GIB, total: 16 * GIB }, { "/proc/pressure/memory": text });
    await watch.look();
    assert.match(watch.notice() ?? "", /for 62 % of the time/);
  });

  test("goes by the container where there is one", async () => {
    const files = {
      "/sys/fs/cgroup/memory.pressure": "some avg10=0.00\nfull avg10=0.00\n",
      "/proc/pressure/memory": "some avg10=99.00\nfull avg10=99.00\n",
    };
    const watch = watchOver({ free: 8 * GIB, total: 16 * GIB }, files);
    await watch.look();
    assert.equal(watch.notice(), null);
  });
});
