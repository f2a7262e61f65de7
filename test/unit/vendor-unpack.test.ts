import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { $ } from "zx";
import { fileSha256 } from "../../vendor/file-hash.js";
import { PROJECT_ROOT, type VendorLayout } from "../../vendor/layout.js";
import { type LlamaLock, readLock } from "../../vendor/lock.js";
import type { RuleSet } from "../../vendor/rules/apply.js";
import { unpackLlama } from "../../vendor/unpack.js";

const FOLDERS = ["src/models", "include", "common", "ggml/include", "cmake", "licenses", "tests", "tools", "vendor"];
const RULES: RuleSet = {
  rules: [{ name: "say stage", file: "src/llama.cpp", find: "whole", replace: "stage" }],
  inventories: {},
};

describe("unpacking a release", () => {
  const directories: string[] = [];
  let root: string;
  let layout: VendorLayout;
  let lock: LlamaLock;

  // A release of a few files, in a git bundle as the real one is.
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "exo-unpack-"));
    directories.push(root);
    const release = join(root, "release");
    for (const folder of FOLDERS) {
      await mkdir(join(release, folder), { recursive: true });
      await writeFile(join(release, folder, "file.txt"), folder);
    }
    for (const file of ["CMakeLists.txt", "LICENSE", "src/untouched.cpp"]) await writeFile(join(release, file), file);
    await writeFile(join(release, "src/llama.cpp"), "the whole model\n");
    const git = $({ cwd: release, quiet: true });
    await git`git init --quiet && git add --all`;
    await git`git -c user.name=t -c user.email=t@localhost commit --quiet --message=release`;
    const commit = (await git`git rev-parse HEAD`).stdout.trim();
    await git`git bundle create --quiet ../release.bundle HEAD`;
    layout = { source: join(root, "llama.cpp"), overlay: join(root, "overlay"), scratch: join(root, "scratch") };
    await mkdir(join(layout.overlay, "src"), { recursive: true });
    await writeFile(join(layout.overlay, "src", "ours.cpp"), "ours");
    const bundleSha256 = await fileSha256(join(root, "release.bundle"));
    const llamaCpp = { repository: "a/b", tag: "v1", commit, bundle: "release.bundle", bundleSha256 };
    lock = { nodeLlamaCpp: "1.0.0", llamaCpp, prebuilt: {} };
  });
  after(async () => {
    for (const directory of directories) await rm(directory, { recursive: true });
  });

  const unpack = (changes: { lock?: LlamaLock; rules?: RuleSet } = {}) =>
    unpackLlama({ root, lock, rules: RULES, packageDirectory: root, layout, ...changes });

  test("applies the rules and puts our files over it", async () => {
    assert.deepEqual(await unpack(), { source: layout.source, changed: true });
    assert.equal(await readFile(join(layout.source, "src/llama.cpp"), "utf8"), "the stage model\n");
    assert.equal(await readFile(join(layout.source, "src/ours.cpp"), "utf8"), "ours");
    assert.deepEqual(await readdir(layout.scratch), []);
  });

  test("does nothing when its stamp is current", async () => {
    await unpack();
    await writeFile(join(layout.source, "mark"), "");
    assert.equal((await unpack()).changed, false);
    assert.ok((await readdir(layout.source)).includes("mark"));
  });

  for (const change of ["a rule", "an overlaid file", "the release"] as const) {
    test(`starts again when ${change} changes`, async () => {
      await unpack();
      if (change === "an overlaid file") await writeFile(join(layout.overlay, "src", "ours.cpp"), "changed");
      const rules = change === "a rule" ? { ...RULES, rules: RULES.rules.slice(1) } : RULES;
      const other = { ...lock, llamaCpp: { ...lock.llamaCpp, tag: "v2" } };
      assert.equal((await unpack({ rules, lock: change === "the release" ? other : lock })).changed, true);
    });
  }

  test("leaves times of files that stay the same, so that they are not compiled again", async () => {
    await unpack();
    const long = new Date("2020-01-01");
    await utimes(join(layout.source, "src/untouched.cpp"), long, long);
    await unpack({ rules: { ...RULES, rules: [] } });
    assert.equal((await stat(join(layout.source, "src/untouched.cpp"))).mtimeMs, long.getTime());
    assert.notEqual((await stat(join(layout.source, "src/llama.cpp"))).mtimeMs, long.getTime());
  });

  test("keeps the old tree and leaves no scratch when a rule misses", async () => {
    await unpack();
    const rules: RuleSet = { rules: [{ name: "r", file: "src/llama.cpp", find: "x", replace: "y" }], inventories: {} };
    await assert.rejects(unpack({ rules }), /"r" expects 1 place in src\/llama\.cpp/);
    assert.equal(await readFile(join(layout.source, "src/llama.cpp"), "utf8"), "the stage model\n");
    assert.deepEqual(await readdir(layout.scratch), []);
  });

  test("refuses a bundle with another hash", async () => {
    const llamaCpp = { ...lock.llamaCpp, bundleSha256: "0".repeat(64) };
    await assert.rejects(
      unpack({ lock: { ...lock, llamaCpp } }),
      /is not the one of vendor\/llama\.lock\.json \(sha256/,
    );
  });

  test("names a bundle that is missing", async () => {
    await rm(join(root, "release.bundle"));
    await assert.rejects(unpack(), /release bundle is missing at .*install node-llama-cpp 1\.0\.0 again/);
  });

  test("names the package when it is not installed", async () => {
    await assert.rejects(unpackLlama({ root, lock, rules: RULES, layout }), /npm package node-llama-cpp.*npm ci/);
  });
});

test("the lock names the release that node-llama-cpp carries", async () => {
  const lock = await readLock(PROJECT_ROOT);
  const release = join(PROJECT_ROOT, "node_modules", "node-llama-cpp", "llama", "binariesGithubRelease.json");
  assert.equal(JSON.parse(await readFile(release, "utf8")).release, lock.llamaCpp.tag);
});
