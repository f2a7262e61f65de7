import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { systemDownloadIo } from "../../src/model/download-io.js";
import type { HubSettings } from "../../src/model/hub/hub-settings.js";
import { ModelStore, type ModelStoreOptions } from "../../src/model/model-store.js";
import { ggufFile, TINY_METADATA, TINY_TENSORS, tinyModel } from "../unit/model-gguf-builder.js";
import { addRepo, COMMIT, type RepoOptions } from "./hub-repo.js";
import { Hub } from "./model-hub.js";

const MODEL = tinyModel(3 * 2 ** 20);
const REPO = "org/Tiny-GGUF";
const FILES = {
  "README.md": { content: Buffer.from("# Tiny"), sha256: null },
  "tiny-Q4_K_M.gguf": { content: MODEL },
  "tiny-Q8_0.gguf": { content: tinyModel(40_000) },
};

let hub = new Hub();
let cdn = new Hub();
let folder = "";
let count = 0;
beforeEach(async () => {
  hub = new Hub();
  cdn = new Hub();
  await Promise.all([hub.start(), cdn.start()]);
  folder = await mkdtemp(join(tmpdir(), "exo-hf-"));
});
afterEach(async () => {
  await Promise.all([hub.stop(), cdn.stop()]);
  await rm(folder, { recursive: true, force: true });
});

const io = { ...systemDownloadIo, sleep: () => Promise.resolve(), stallMilliseconds: 5000 };

function repo(options: Partial<RepoOptions> = {}): void {
  addRepo(hub, cdn, { name: REPO, files: FILES, ...options });
}

function store(settings: Partial<HubSettings> = {}, options: Partial<ModelStoreOptions> = {}): ModelStore {
  const settled = { endpoint: hub.url(""), token: null, offline: false, ...settings };
  return new ModelStore({ modelsDir: join(folder, "models"), io, hub: settled, ...options });
}

function freshStore(settings: Partial<HubSettings> = {}): ModelStore {
  count += 1;
  return store(settings, { modelsDir: join(folder, `models-${count}`) });
}

describe("a model of the hub", () => {
  test("by its quantisation, whatever the case, and by preference without one", async () => {
    repo();
    for (const spec of [`hf:${REPO}:Q4_K_M`, `hf:${REPO}:q4_k_m`, `hf:${REPO}`]) {
      const model = await freshStore().resolve(spec);
      assert.equal(model.id, "tiny-Q4_K_M");
      assert.equal(model.spec, `hf:${REPO}/tiny-Q4_K_M.gguf@${COMMIT}`, "pinned for the other nodes");
      assert.ok((await readFile(model.path)).equals(MODEL));
    }
  });

  test("by its file, without the hub's API", async () => {
    repo();
    for (const path of [...hub.files.keys()]) if (path.startsWith("/api/")) hub.files.delete(path);
    const model = await store().resolve(`hf:${REPO}/tiny-Q8_0.gguf`);
    assert.equal(model.spec, `hf:${REPO}/tiny-Q8_0.gguf@${COMMIT}`);
  });

  test("from a listing of several pages", async () => {
    repo({ pageSize: 1 });
    assert.equal((await store().resolve(`hf:${REPO}:Q8_0`)).id, "tiny-Q8_0");
  });

  test("in parts below a directory", async () => {
    const parts = [TINY_TENSORS.slice(0, 4), TINY_TENSORS.slice(4)];
    repo({
      files: {
        "Q4/big-Q4_0-00001-of-00002.gguf": { content: ggufFile(TINY_METADATA, parts[0] ?? []) },
        "Q4/big-Q4_0-00002-of-00002.gguf": { content: ggufFile({}, parts[1] ?? []) },
      },
    });
    const model = await store().resolve(`hf:${REPO}:Q4_0`);
    assert.equal(model.id, "big-Q4_0");
    assert.deepEqual(
      model.info.files.map(({ path }) => basename(path)),
      ["big-Q4_0-00001-of-00002.gguf", "big-Q4_0-00002-of-00002.gguf"],
    );
    await assert.rejects(store().resolve(`hf:${REPO}/Q4/big-Q4_0-00002-of-00002.gguf`), {
      code: "invalid_argument",
      message: /first part, Q4\/big-Q4_0-00001/,
    });
  });

  test("in the cache needs no network, by the same spec or by its id, also offline", async () => {
    repo();
    const spec = `hf:${REPO}:Q4_K_M`;
    const { path } = await store().resolve(spec);
    const asked = hub.requests.length;
    const offline = store({ offline: true });
    assert.equal((await offline.resolve(spec)).path, path);
    assert.equal((await offline.resolve("tiny-Q4_K_M")).path, path);
    assert.equal((await offline.resolve(`hf:${REPO}/tiny-Q4_K_M.gguf@${COMMIT}`)).path, path);
    assert.equal(hub.requests.length, asked);
    await assert.rejects(offline.resolve(`hf:${REPO}:Q8_0`), { code: "model_not_found", message: /HF_HUB_OFFLINE/ });
  });

  test("does not keep files of other servers from being fetched while offline", async () => {
    const url = cdn.serve("/plain.gguf", { content: MODEL });
    const part = { begin: 0, end: 1, hasEmbedding: true, hasOutput: false };
    assert.equal((await store({ offline: true }).resolvePart(url, part)).bytes, MODEL.length);
  });

  test("stays at its commit when the repository goes on", async () => {
    repo();
    const spec = `hf:${REPO}:Q4_K_M`;
    const part = { begin: 0, end: 1, hasEmbedding: true, hasOutput: false };
    await store().resolvePart(spec, part);
    const next = "f".repeat(40);
    addRepo(hub, cdn, { name: REPO, commit: next, files: { "tiny-Q4_K_M.gguf": { content: tinyModel(50_000) } } });
    assert.ok((await readFile((await store().resolve(spec)).path)).equals(MODEL));
  });

  test("moves with HF_ENDPOINT, also half-fetched", async () => {
    repo();
    const spec = `hf:${REPO}:Q4_K_M`;
    await store().header(spec);
    const mirror = new Hub();
    await mirror.start();
    addRepo(mirror, cdn, { name: REPO, files: FILES });
    for (const path of [...hub.files.keys()]) hub.files.delete(path);
    assert.ok((await readFile((await store({ endpoint: mirror.url("") }).resolve(spec)).path)).equals(MODEL));
    await mirror.stop();
  });
});

describe("what the hub does not have", () => {
  const rejects = (spec: string, message: RegExp, code = "invalid_argument"): Promise<void> =>
    assert.rejects(store().resolve(spec), { code, message });

  test("a quantisation: those that there are, are listed", async () => {
    repo();
    await rejects(`hf:${REPO}:Q5_K_M`, /has no Q5_K_M\. It has Q4_K_M \(3\.00 MiB\), Q8_0 \(/);
  });

  test("one model: its files are listed", async () => {
    repo({ files: { "a-Q4_0.gguf": { content: MODEL }, "b-Q4_0.gguf": { content: MODEL } } });
    await rejects(
      `hf:${REPO}:Q4_0`,
      /more than one model in Q4_0; name the file, as in hf:org\/Tiny-GGUF\/a-Q4_0\.gguf\. It has a-Q4_0\.gguf .+, b-Q4_0\.gguf/,
    );
  });

  test("GGUF files, the repository, the file", async () => {
    repo({ files: { "model.safetensors": { content: MODEL } } });
    await rejects(`hf:${REPO}`, /has no GGUF files/, "model_not_found");
    await rejects("hf:org/none", /There is no org\/none on the hub/, "download_failed");
    await rejects(`hf:${REPO}/none.gguf`, /There is no .+none\.gguf on the hub/, "download_failed");
  });
});

describe("gated and private repositories", () => {
  test("the token opens them, and goes to the hub only", async () => {
    repo({ token: "hf_secret" });
    const model = await store({ token: "hf_secret" }).resolve(`hf:${REPO}:Q4_K_M`);
    assert.ok((await readFile(model.path)).equals(MODEL));
    assert.ok(hub.requests.every(({ authorization }) => authorization === "Bearer hf_secret"));
    assert.ok(cdn.requests.length > 0);
    assert.ok(cdn.requests.every(({ authorization }) => authorization === undefined));
  });

  test("without one, what to do is said, and no secret is", async () => {
    repo({ token: "hf_secret" });
    await assert.rejects(store().resolve(`hf:${REPO}`), {
      code: "download_failed",
      message: /needs a token in HF_TOKEN/,
    });
    await assert.rejects(store({ token: "hf_wrong" }).resolve(`hf:${REPO}`), (thrown: Error) => {
      assert.match(thrown.message, /token in HF_TOKEN is not valid/);
      assert.doesNotMatch(thrown.message, /hf_wrong/);
      return true;
    });
    hub.serve(`/api/models/${REPO}/revision/main`, { content: MODEL, failures: [{ status: 403 }, { status: 403 }] });
    await assert.rejects(store().resolve(`hf:${REPO}`), { message: /is gated on the hub: accept its terms/ });
    await assert.rejects(store({ token: "hf_x" }).resolve(`hf:${REPO}`), { message: /your token may not read it yet/ });
  });
});

describe("a hub in trouble", () => {
  const path = `/cdn/${REPO}/${COMMIT}/tiny-Q4_K_M.gguf?signature=secret`;

  test("that resets is asked again for the rest", async () => {
    repo({ files: { "tiny-Q4_K_M.gguf": { content: MODEL, breaks: [null, 100_000, 1_500_000, 0] } } });
    assert.ok((await readFile((await store().resolve(`hf:${REPO}`)).path)).equals(MODEL));
  });

  test("that is busy is asked again", async () => {
    repo({
      files: { "tiny-Q4_K_M.gguf": { content: MODEL, failures: [{ status: 503 }, { status: 429, retryAfter: "1" }] } },
    });
    assert.equal((await store().resolve(`hf:${REPO}`)).bytes, MODEL.length);
  });

  test("that stays away is named", async () => {
    repo();
    cdn.serve(path, { content: MODEL, failures: new Array<{ status: number }>(20).fill({ status: 503 }) });
    await assert.rejects(store().resolve(`hf:${REPO}`), {
      code: "download_failed",
      message: /the server answered 503, and 6 tries/,
    });
  });

  test("that sends a web page", async () => {
    repo();
    const page = { content: Buffer.from("<!doctype html>"), headers: { "content-type": "text/html; charset=utf-8" } };
    cdn.serve(path, { ...page, ignoresRanges: true });
    await assert.rejects(store().resolve(`hf:${REPO}`), {
      code: "download_failed",
      message: /a web page came in place of the file/,
    });
    assert.deepEqual(await store().list(), []);
    hub.serve(`/api/models/${REPO}/revision/main`, page);
    await assert.rejects(freshStore().resolve(`hf:${REPO}`), {
      code: "download_failed",
      message: /something else than JSON/,
    });
  });

  test("that sends another size than it said", async () => {
    repo();
    cdn.serve(path, { content: MODEL.subarray(0, 2_000_000) });
    await assert.rejects(store().resolve(`hf:${REPO}`), {
      code: "download_failed",
      message: new RegExp(`has 2000000 bytes where ${MODEL.length} are expected`),
    });
  });

  test("that sends another length than it said: what came is gone on from, and is right", async () => {
    repo();
    cdn.serve(path, { content: MODEL, claimedLength: 2 ** 20 + 5 });
    const { path: file } = await store().resolve(`hf:${REPO}`);
    assert.ok((await readFile(file)).equals(MODEL));
  });

  test("that breaks off before the first byte, each time", async () => {
    repo();
    cdn.serve(path, { content: MODEL, breaks: new Array<number>(50).fill(0) });
    await assert.rejects(store().resolve(`hf:${REPO}`), { code: "download_failed", message: /and 6 tries/ });
    assert.deepEqual(await store().list(), []);
  });

  test("that knows no ranges: the whole file is fetched", async () => {
    repo({ files: { "tiny-Q4_K_M.gguf": { content: MODEL, ignoresRanges: true } } });
    const part = { begin: 0, end: 1, hasEmbedding: true, hasOutput: false };
    const model = await store().resolvePart(`hf:${REPO}`, part);
    assert.ok((await readFile(model.path)).equals(MODEL));
    assert.ok((await store().list())[0]?.path !== null);
  });

  test("that gives other bytes than it promised: they are not used, and fetched anew", async () => {
    const wrong = Buffer.from(MODEL);
    wrong[wrong.length - 1] = 77;
    repo();
    cdn.serve(path, { content: wrong });
    await assert.rejects(store().resolve(`hf:${REPO}`), {
      code: "download_failed",
      message: /not the model that was promised/,
    });
    cdn.serve(path, { content: MODEL });
    assert.ok((await readFile((await store().resolve(`hf:${REPO}`)).path)).equals(MODEL));
  });
});
