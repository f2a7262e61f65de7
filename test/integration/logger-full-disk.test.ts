import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../../src/core/package.js";

/** A file on a disk that is always full. */
const FULL = "/dev/full";

test("a log that cannot be written ends nothing, and does not pile up", { skip: !existsSync(FULL) }, () => {
  const module = pathToFileURL(join(packageRoot(), "dist", "src", "telemetry", "logger.js")).href;
  const script = `
    const { createLogger } = await import(${JSON.stringify(module)});
    const logger = createLogger({ level: "info", format: "json" });
    const line = "x".repeat(10_000);
    for (let count = 0; count < 2_000; count += 1) {
      logger.info({ line }, "a line");
      if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    globalThis.gc();
    process.stdout.write(String(process.memoryUsage().heapUsed < 15e6));
  `;
  const { status, stdout } = spawnSync(process.execPath, ["--expose-gc", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", openSync(FULL, "w")],
    encoding: "utf8",
  });
  assert.deepEqual([status, stdout], [0, "true"]);
});
