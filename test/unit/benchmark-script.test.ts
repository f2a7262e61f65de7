import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

function run(script: string, ...args: readonly string[]) {
  const file = fileURLToPath(new URL(`../../benchmarks/${script}/main.js`, import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: "utf8", timeout: 30_000 });
  return { status, stderr };
}

describe("scripts beside the benchmark say what is wrong in a sentence", () => {
  for (const script of ["quality", "shapes", "stage"]) {
    test(script, () => {
      const gone = run(script, "--model", "/nowhere/model.gguf");
      assert.equal(gone.status, 1);
      assert.match(gone.stderr, /^error: Cannot open the model file \/nowhere\/model\.gguf: [^\n]+\n$/);
      const flag = run(script, "--nonsense");
      assert.equal(flag.status, 2);
      assert.match(flag.stderr, /^error: Unknown option '--nonsense'/);
      const threads = run(script, "--threads", "none");
      assert.equal(threads.status, 2);
      assert.match(threads.stderr, /Expected a whole number above 0 for --threads, received "none"/);
    });
  }
});
