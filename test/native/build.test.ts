import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { buildKey, isCurrent, writeStamp } from "../../native/build-stamp.js";
import { checkTools } from "../../native/tools.js";

describe("a build is current", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "exo-native-build-"));
    mkdirSync(join(root, "native", "stage"), { recursive: true });
    writeFileSync(join(root, "CMakeLists.txt"), "project(x)");
    writeFileSync(join(root, "native", "stage", "stage.cpp"), "int x;");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test("only while no input has changed and the addon is there", async () => {
    const addon = join(root, "build", "Release", "exo_native.node");
    const key = await buildKey(root);
    assert.equal(await isCurrent(addon, key), false);
    await writeStamp(addon, key);
    assert.equal(await isCurrent(addon, key), false, "the addon itself is missing");
    writeFileSync(addon, "");
    assert.equal(await isCurrent(addon, key), true);
    writeFileSync(join(root, "native", "stage", "stage.cpp"), "int y;");
    assert.equal(await isCurrent(addon, await buildKey(root)), false);
  });

  test("for its settings only", async () => {
    const key = await buildKey(root);
    const before = process.env.EXO_NATIVE_GGML;
    process.env.EXO_NATIVE_GGML = "source";
    try {
      assert.notEqual(await buildKey(root), key);
    } finally {
      if (before === undefined) delete process.env.EXO_NATIVE_GGML;
      else process.env.EXO_NATIVE_GGML = before;
    }
    assert.equal(await buildKey(root), key);
  });
});

test("a missing tool is named, with the way to install it", { skip: process.platform === "win32" }, async () => {
  const { PATH, CXX } = process.env;
  const empty = mkdtempSync(join(tmpdir(), "exo-native-no-tools-"));
  process.env.PATH = empty;
  delete process.env.CXX;
  try {
    await assert.rejects(checkTools(), { code: "unsupported", message: /needs a C\+\+17 compiler.*install it with/ });
    writeFileSync(join(empty, "c++"), "", { mode: 0o755 });
    await assert.rejects(checkTools(), { code: "unsupported", message: /needs CMake 3\.19 or newer.*install it with/ });
  } finally {
    process.env.PATH = PATH;
    if (CXX !== undefined) process.env.CXX = CXX;
    rmSync(empty, { recursive: true, force: true });
  }
});
