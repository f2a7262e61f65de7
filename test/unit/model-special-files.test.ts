import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readGgufHeader } from "../../src/model/gguf-header.js";

test("a pipe or a directory is refused as a model without being opened", {
  skip: process.platform === "win32",
}, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "exo-native-pipe-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const pipe = join(directory, "pipe.gguf");
  execFileSync("mkfifo", [pipe]);
  for (const path of [pipe, directory]) {
    await assert.rejects(readGgufHeader(path), { code: "invalid_model", message: /it is not a file/ });
  }
});
