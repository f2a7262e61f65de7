import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { packageRoot } from "../../src/core/package.js";
import { Random } from "../chaos/random.js";
import { noProcessTable } from "../support/process-table.js";

const CHAOS = join(packageRoot(), "dist", "test", "chaos", "main.js");

describe("the chaos suite", { skip: noProcessTable }, () => {
  test("holds over two faults of two nodes", { timeout: 180_000 }, async () => {
    const faults = ["--faults", "2", "--only", "hiccup,kill-node", "--seed", "2"];
    const args = [CHAOS, "--loopback", "--nodes", "2", "--streams", "2", ...faults];
    const chaos = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    const [out, err, [code]] = await Promise.all([text(chaos.stdout), text(chaos.stderr), once(chaos, "exit")]);
    assert.match(out, /2 faults, 0 violations\n$/, out + err);
    assert.equal(code, 0);
  });

  test("the same seed makes the same choices", () => {
    const choices = (seed: number): readonly number[] => {
      const random = new Random(seed);
      return Array.from({ length: 50 }, () => random.between(1, 6));
    };
    assert.deepEqual(choices(11), choices(11));
    assert.notDeepEqual(choices(11), choices(12));
    assert.deepEqual([...new Set(choices(11))].sort(), [1, 2, 3, 4, 5, 6]);
  });
});
