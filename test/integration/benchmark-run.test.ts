import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { outcomeSchema } from "../../benchmarks/outcome.js";
import { packageRoot } from "../../src/core/package.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const MAIN = join(packageRoot(), "dist", "benchmarks", "main.js");

async function bench(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { stdout, stderr, code };
}

describe("npm run bench", () => {
  const model = writeTinyModel({ layers: 4, contextLength: 512 });
  let out = "";

  before(async () => {
    out = await mkdtemp(join(tmpdir(), "exo-native-bench-"));
  });

  after(async () => {
    model.remove();
    await rm(out, { recursive: true });
  });

  test("measures rings of a generated model and writes JSON, Markdown and charts", async () => {
    const only = ["--only", "decode-1,hops,weights", "--subjects", "ring-1,ring-2"];
    const { stdout, stderr, code } = await bench("--model", model.path, "--quick", "--no-build", "--out", out, ...only);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /## What to reach/);
    const files = (await readdir(out)).sort();
    assert.ok(files.includes("tiny-f32-quick-part-decode-1.svg"), files.join(" "));
    const json = files.find((name) => name.endsWith(".json")) ?? "";
    const outcome = outcomeSchema.parse(JSON.parse(await readFile(join(out, json), "utf8")));
    const figures = outcome.cases.map(({ id, subjects }) => ({
      id,
      measured: subjects.map(({ subject, samples }) => `${subject}: ${Object.keys(samples).join(" ")}`),
      rounds: subjects.flatMap(({ samples }) => Object.values(samples).map((numbers) => numbers.length)),
    }));
    assert.deepEqual(
      figures.map(({ id }) => id),
      ["decode-1", "hops", "weights"],
    );
    assert.deepEqual(figures[0]?.measured, ["ring-1: decode", "ring-2: decode"]);
    assert.deepEqual(figures[1]?.measured, ["ring-2: hop_p50 hop_p99 wire_bytes copies stage_fastest stage_slowest"]);
    assert.ok(figures.every(({ rounds }) => rounds.every((count) => count === 1)));
    assertHops(outcome.cases[1]?.subjects[0]?.samples ?? {});
  });

  test("measures a prompt against chunks that were alone in the ring", async () => {
    const deep = writeTinyModel({ layers: 4, contextLength: 4096 });
    try {
      const args = [
        "--quick",
        "--no-build",
        "--out",
        out,
        "--only",
        "pipeline,ttft",
        "--subjects",
        "ring-2,ring-2-ubatch-128",
      ];
      const { stderr, code } = await bench("--model", deep.path, ...args);
      assert.equal(code, 0, stderr);
      const outcome = outcomeSchema.parse(JSON.parse(await readFile(join(out, "tiny-f32-quick-part.json"), "utf8")));
      const samples = outcome.cases[0]?.subjects[0]?.samples ?? {};
      assert.deepEqual(samples.chunks, [16]);
      assert.deepEqual(Object.keys(samples), ["prefill_time", "ideal_time", "over_ideal", "chunks"]);
      assert.ok((samples.ideal_time?.[0] ?? 0) > 0);
      const { ttft_p50 = [], ttft_p99 = [] } = outcome.cases[1]?.subjects[0]?.samples ?? {};
      assert.ok((ttft_p50[0] ?? 0) > 0 && (ttft_p99[0] ?? 0) >= (ttft_p50[0] ?? 0));
    } finally {
      deep.remove();
    }
  });

  test("a usage that makes no sense is told in one sentence", async () => {
    const { stderr, code } = await bench("--only", "nonsense");
    assert.equal(code, 2);
    assert.match(stderr, /^error: There is no case nonsense; there are prefill-512, /);
  });

  test("a model that is not there is told in one sentence", async () => {
    const { stderr, code } = await bench("--model", join(out, "missing.gguf"), "--no-build");
    assert.equal(code, 1);
    assert.match(stderr, /^error: .*missing\.gguf/m);
  });
});

/** A row of 64 numbers is 256 bytes on the wire; the addon copies a hidden state once, to hand it on. */
function assertHops(samples: Record<string, number[]>): void {
  const [bytes = 0] = samples.wire_bytes ?? [];
  assert.ok(bytes > 256 && bytes < 256 + 100, `${bytes} bytes per token and hop`);
  assert.deepEqual(samples.copies, [1]);
}
