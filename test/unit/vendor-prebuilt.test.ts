import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { fileSha256 } from "../../vendor/file-hash.js";
import type { LlamaLock } from "../../vendor/lock.js";
import { findPrebuilt, librariesOf } from "../../vendor/prebuilt.js";
import { prepareLlama } from "../../vendor/prepare.js";

const LINUX = [
  "_nlcBuildMetadata.json",
  "libggml-base.so",
  "libggml-cpu-haswell.so",
  "libggml-cpu-x64.so",
  "libggml.v1.so",
  "libllama-common.so",
  "libllama.v1.so",
  "llama-addon.node",
];

describe("prebuilt libraries", () => {
  const directories: string[] = [];
  let root: string;
  let bins: string;
  let lock: LlamaLock;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "exo-prebuilt-"));
    directories.push(root);
    const home = join(root, "node_modules", "@node-llama-cpp", "linux-x64");
    bins = join(home, "bins", "linux-x64");
    await mkdir(bins, { recursive: true });
    await writeFile(join(home, "package.json"), "{}");
    for (const file of LINUX) await writeFile(join(bins, file), file);
    await writeRelease("v1");
    const llamaCpp = { repository: "a/b", tag: "v1", commit: "0".repeat(40), bundle: "b", bundleSha256: "" };
    const hash = await fileSha256(join(bins, "libggml.v1.so"));
    lock = { nodeLlamaCpp: "1.0.0", llamaCpp, prebuilt: { "linux-x64": { "libggml.v1.so": hash } } };
  });
  after(async () => {
    for (const directory of directories) await rm(directory, { recursive: true });
  });

  async function writeRelease(release: string): Promise<void> {
    const metadata = { buildOptions: { llamaCpp: { release } } };
    await writeFile(join(bins, "_nlcBuildMetadata.json"), JSON.stringify(metadata));
  }
  const find = (changes: { arch?: string; lock?: LlamaLock } = {}) =>
    findPrebuilt({ root, lock, platform: "linux", arch: "x64", ...changes });

  test("are found and sorted by role", async () => {
    assert.deepEqual(await find(), {
      packageName: "@node-llama-cpp/linux-x64",
      directory: bins,
      ggml: "libggml.v1.so",
      ggmlBase: "libggml-base.so",
      llama: "libllama.v1.so",
      llamaCommon: "libllama-common.so",
      backends: ["libggml-cpu-haswell.so", "libggml-cpu-x64.so"],
    });
  });

  test("are none on a platform without a package", async () => {
    assert.equal(await find({ arch: "riscv64" }), null);
  });

  test("of another release are refused with both names", async () => {
    await writeRelease("v2");
    await assert.rejects(find(), /@node-llama-cpp\/linux-x64 holds libraries of llama\.cpp v2, but.*needs v1/);
  });

  test("without a release are refused", async () => {
    await writeFile(join(bins, "_nlcBuildMetadata.json"), "{");
    await assert.rejects(find(), /llama\.cpp of an unknown release/);
  });

  test("with another hash are refused by file", async () => {
    await writeFile(join(bins, "libggml.v1.so"), "changed");
    await assert.rejects(find(), /libggml\.v1\.so of @node-llama-cpp\/linux-x64 is not the library of/);
  });

  test("that lack a locked file are refused", async () => {
    await rm(join(bins, "libggml.v1.so"));
    await assert.rejects(find(), /libggml\.v1\.so .*no such file/);
  });

  test("of a package that is not in the lock are checked by release alone", async () => {
    assert.notEqual(await find({ lock: { ...lock, prebuilt: {} } }), null);
  });

  test("of macOS are told apart by the same roles", () => {
    const files = LINUX.map((file) => file.replace(/\.so$/, ".dylib")).concat(
      "libggml-metal.dylib",
      "libggml-blas.dylib",
    );
    const { llama, backends } = librariesOf("mac", files);
    assert.equal(llama, "libllama.v1.dylib");
    assert.deepEqual(backends.slice(0, 2), ["libggml-blas.dylib", "libggml-cpu-haswell.dylib"]);
  });

  test("with a role missing are refused", () => {
    const files = LINUX.filter((file) => file !== "libllama-common.so");
    assert.throws(() => librariesOf("p", files), /p does not hold exactly one llama-common library/);
  });
});

test("an unknown origin of ggml is refused", async () => {
  await assert.rejects(prepareLlama({ ggml: "brew" }), /EXO_NATIVE_GGML must be "prebuilt" or "source", not "brew"/);
});
