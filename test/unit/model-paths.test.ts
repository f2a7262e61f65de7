import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { ModelPaths, namedDirectories } from "../../src/model/model-paths.js";

const directory = await mkdtemp(join(tmpdir(), "exo-native-paths-"));
after(() => rm(directory, { recursive: true, force: true }));

const inside = join(directory, "models");
const outside = join(directory, "elsewhere");
await mkdir(inside);
await mkdir(outside);
await writeFile(join(inside, "good.gguf"), "GGUF and more");
await writeFile(join(outside, "good.gguf"), "GGUF and more");
await writeFile(join(inside, "secret.gguf"), "root:x:0:0");
await writeFile(join(inside, "empty.gguf"), "");
await symlink(join(outside, "good.gguf"), join(inside, "link.gguf"));

async function messageFor(paths: ModelPaths, name: string): Promise<string | null> {
  try {
    await paths.check(name);
    return null;
  } catch (thrown) {
    assert.ok(thrown instanceof ExoError);
    assert.equal(thrown.code, "model_not_found");
    return thrown.message.replaceAll(JSON.stringify(name), "…");
  }
}

describe("a path that is named over HTTP", () => {
  const narrow = new ModelPaths({ directories: [inside, join(directory, "nowhere")], isKnown: () => false });

  test("is that of a GGUF file in one of the directories", async () => {
    assert.equal(await messageFor(narrow, join(inside, "good.gguf")), null);
    assert.equal(await messageFor(narrow, "tinyllama"), null, "a name is no path");
    assert.equal(await messageFor(narrow, "hf:org/repo:Q4_K_M"), null);
    assert.equal(await messageFor(narrow, "https://models.example/a.gguf"), null);
  });

  test("tells nothing of other files, not even whether they are there", async () => {
    const names = [
      join(inside, "secret.gguf"),
      join(inside, "empty.gguf"),
      join(inside, "missing.gguf"),
      join(inside, "link.gguf"),
      join(inside, "..", "elsewhere", "good.gguf"),
      join(outside, "good.gguf"),
      inside,
      `${inside}-2/good.gguf`,
      "/etc/passwd",
      "/proc/self/environ",
      "/dev/zero",
      "~/.ssh/id_ed25519",
    ];
    const messages = await Promise.all(names.map((name) => messageFor(narrow, name)));
    assert.equal(new Set(messages).size, 1, messages.join("\n"));
    assert.match(messages[0] ?? "", /^No model is loaded from …: /);
  });

  test("does not keep the node waiting", { skip: process.platform === "win32" }, async () => {
    const pipe = join(inside, "pipe.gguf");
    execFileSync("mkfifo", [pipe]);
    assert.ok(await messageFor(narrow, pipe));
  });

  test("may be anywhere on loopback, and yet must be a GGUF", async () => {
    const anywhere = new ModelPaths({ directories: null, isKnown: () => false });
    assert.equal(await messageFor(anywhere, join(outside, "good.gguf")), null);
    assert.equal(await messageFor(anywhere, join(inside, "link.gguf")), null);
    assert.ok(await messageFor(anywhere, join(inside, "secret.gguf")));
    assert.ok(await messageFor(anywhere, "/etc/passwd"));
  });

  test("may be that of a model that is known", async () => {
    const known = new ModelPaths({ directories: [], isKnown: (spec) => spec === "/other/node/model.gguf" });
    assert.equal(await messageFor(known, "/other/node/model.gguf"), null);
    assert.ok(await messageFor(known, "/other/node/more.gguf"));
  });
});

test("the owner's directories are the cache's, those he names, and those of his models", () => {
  const settings = {
    model: "/a/one.gguf",
    draftModel: "tinyllama",
    pin: ["hf:o/r:Q4_0", "/b/two.gguf"],
    modelDir: ["/c"],
  };
  assert.deepEqual(namedDirectories(settings, "/cache/models"), ["/cache/models", "/c", "/a", "/b"]);
});
