import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { CatalogueEntry } from "../../src/model/catalogue.js";
import { systemDownloadIo } from "../../src/model/download-io.js";
import { ModelStore, type ModelStoreOptions } from "../../src/model/model-store.js";
import type { ModelProgress } from "../../src/model/progress.js";
import { ggufFile, TINY_METADATA, TINY_TENSORS, tinyModel } from "../unit/model-gguf-builder.js";
import { Hub } from "./model-hub.js";

const MODEL = tinyModel(400_000);
const SHA256 = createHash("sha256").update(MODEL).digest("hex");

let hub = new Hub();
let modelsDir = "";
beforeEach(async () => {
  hub = new Hub();
  await hub.start();
  modelsDir = join(await mkdtemp(join(tmpdir(), "exo-store-")), "models");
});
afterEach(async () => {
  await hub.stop();
  await rm(join(modelsDir, ".."), { recursive: true, force: true });
});

const quickIo = { ...systemDownloadIo, sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 5)) };

function store(options: Partial<ModelStoreOptions> = {}): ModelStore {
  return new ModelStore({ modelsDir, io: quickIo, ...options });
}

function entryFor(source: string, changes: Partial<CatalogueEntry> = {}): CatalogueEntry {
  return {
    alias: "small",
    description: "a small model",
    source,
    fileName: "small.gguf",
    bytes: MODEL.length,
    sha256: SHA256,
    licence: "MIT",
    quants: {},
    page: null,
    defaults: { temperature: 0.5 },
    ...changes,
  };
}

describe("resolving", () => {
  test("a URL is fetched, checked and described", async () => {
    const url = hub.serve("/org/small-q8.gguf", { content: MODEL });
    const progress: ModelProgress[] = [];
    const model = await store().resolve(url, { onProgress: (report) => progress.push(report) });
    assert.equal(model.id, "small-q8");
    assert.equal(model.spec, url);
    assert.equal(model.bytes, MODEL.length);
    assert.equal(model.info.layerCount, 2);
    assert.ok((await readFile(model.path)).equals(MODEL));
    assert.deepEqual(progress.at(-1)?.phase, "verifying");
    assert.equal(progress.at(-1)?.received, MODEL.length);
    assert.ok(progress.some(({ phase, received }) => phase === "downloading" && received === MODEL.length));
  });

  test("a cached one needs no network", async () => {
    const url = hub.serve("/small.gguf", { content: MODEL });
    const first = await store().resolve(url);
    await hub.stop();
    const offline = store({ io: { ...quickIo, fetch: () => assert.fail("the network was used") } });
    assert.deepEqual(await offline.resolve(url), first);
    assert.equal((await offline.resolve("small")).path, first.path);
    await hub.start();
  });

  test("a path is taken as it is, and not cached", async () => {
    const path = join(modelsDir, "..", "own.gguf");
    await writeFile(path, MODEL);
    const model = await store().resolve(path);
    assert.deepEqual([model.id, model.path, model.spec], ["own", path, path]);
    assert.deepEqual(await store().list(), []);
  });

  test("a known name brings its size, hash, licence and sampling", async () => {
    const source = hub.serve("/x.gguf", { content: MODEL });
    const known = store({ catalogue: [entryFor(source)] });
    const model = await known.resolve("small");
    assert.deepEqual(
      [model.id, model.spec, model.licence, model.defaults, basename(model.path)],
      ["small", "small", "MIT", { temperature: 0.5 }, "x.gguf"],
    );
    assert.equal((await known.resolve(source)).id, "small");
    assert.equal(hub.ranges().length, 1);
  });

  test("a model in parts is fetched whole", async () => {
    const parts = [TINY_TENSORS.slice(0, 4), TINY_TENSORS.slice(4)];
    hub.serve("/m-00001-of-00002.gguf", { content: ggufFile(TINY_METADATA, parts[0] ?? []) });
    hub.serve("/m-00002-of-00002.gguf", { content: ggufFile({}, parts[1] ?? []), breaks: [100] });
    const totals = new Set<number | null>();
    const model = await store().resolve(hub.url("/m-00001-of-00002.gguf"), {
      onProgress: ({ total }) => totals.add(total),
    });
    assert.equal(model.id, "m");
    assert.equal(model.info.files.length, 2);
    assert.equal(model.info.layerBytes.length, 2);
    assert.deepEqual([...totals], [model.bytes]);
  });

  test("an unknown name says what there is", async () => {
    await assert.rejects(store({ catalogue: [entryFor("https://example.org/x.gguf")] }).resolve("smal"), {
      code: "model_not_found",
      message: /no model "smal" in the cache.+known names: small/,
    });
  });

  test("a name that two cached models have must be said more precisely", async () => {
    const urls = ["/a/m.gguf", "/b/m.gguf"].map((path) => hub.serve(path, { content: MODEL }));
    for (const url of urls) await store().resolve(url);
    await assert.rejects(store().resolve("m"), { code: "invalid_argument", message: /"m" is the name of .+ and .+;/ });
    assert.notEqual((await store().resolve(urls[0] ?? "")).path, (await store().resolve(urls[1] ?? "")).path);
  });
});

describe("what is not the model that was promised", () => {
  test("a wrong hash is refused, removed, and fetched anew the next time", async () => {
    const wrong = Buffer.from(MODEL);
    wrong[wrong.length - 1] = 0xff;
    const source = hub.serve("/x.gguf", { content: wrong });
    const known = store({ catalogue: [entryFor(source)] });
    await assert.rejects(known.resolve("small"), {
      code: "download_failed",
      message: new RegExp(`expected ${SHA256}`),
    });
    hub.serve("/x.gguf", { content: MODEL });
    assert.equal((await known.resolve("small")).id, "small");
  });

  test("a web page in place of a model is refused and not kept", async () => {
    const page = { content: Buffer.from("\n<!doctype html><p>log in") };
    const headers = { "content-type": "text/html" };
    for (const said of [{ ...page, headers }, page]) {
      const url = hub.serve("/x.gguf", said);
      await assert.rejects(store().resolve(url), {
        code: "download_failed",
        message: /x\.gguf cannot be fetched: a web page came in place of the file/,
      });
      assert.deepEqual(await store().list(), []);
    }
    const url = hub.serve("/x.gguf", { content: Buffer.from("neither") });
    await assert.rejects(store().resolve(url), { code: "invalid_model", message: /not a GGUF file/ });
    assert.deepEqual(await store().list(), []);
    hub.serve("/x.gguf", { content: MODEL });
    assert.equal((await store().resolve(url)).bytes, MODEL.length);
  });

  test("a missing file leaves nothing", async () => {
    await assert.rejects(store().resolve(hub.url("/none.gguf")), { code: "download_failed" });
    assert.deepEqual(await store().list(), []);
  });

  test("a half-fetched one is listed with what it takes, and can be removed", async () => {
    const url = hub.serve("/small.gguf", { content: MODEL, breaks: new Array<number>(9).fill(1000) });
    await assert.rejects(store({ io: { ...quickIo, fruitlessTries: 0 } }).resolve(url));
    assert.deepEqual(
      (await store().list()).map(({ id, path, bytes }) => [id, path, bytes]),
      [["small", null, 1000]],
    );
    assert.equal((await store().verify("small")).ok, false);
    await store().remove("small");
    assert.deepEqual(await store().list(), []);
  });
});

describe("the cache", () => {
  test("lists, checks and removes", async () => {
    const url = hub.serve("/small.gguf", { content: MODEL });
    const { path } = await store().resolve(url);
    const [listed] = await store().list();
    assert.deepEqual([listed?.id, listed?.spec, listed?.path, listed?.bytes], ["small", url, path, MODEL.length]);
    assert.deepEqual(await store().verify("small"), {
      id: "small",
      ok: true,
      files: [{ name: "small.gguf", expected: SHA256, actual: SHA256 }],
    });
    await store().remove("small");
    assert.deepEqual(await store().list(), []);
    assert.deepEqual(await readdir(modelsDir), []);
    await assert.rejects(store().remove("small"), { code: "model_not_found" });
  });

  test("a changed byte is found by a check, a missing file too", async () => {
    const { path } = await store().resolve(hub.serve("/small.gguf", { content: MODEL }));
    const damaged = Buffer.from(MODEL);
    damaged[1000] = (damaged[1000] ?? 0) ^ 1;
    await writeFile(path, damaged);
    assert.equal((await store().verify("small")).ok, false);
    await rm(path);
    assert.deepEqual((await store().verify("small")).files[0]?.actual, null);
  });

  test("a file cut short is fetched again", async () => {
    const url = hub.serve("/small.gguf", { content: MODEL });
    const { path } = await store().resolve(url);
    await writeFile(path, MODEL.subarray(0, 1000));
    await store().resolve(url);
    assert.ok((await readFile(path)).equals(MODEL));
  });

  test("a broken manifest counts as none", async () => {
    const url = hub.serve("/small.gguf", { content: MODEL });
    const { path } = await store().resolve(url);
    await writeFile(join(path, "..", "manifest.json"), "{");
    assert.deepEqual(await store().list(), []);
    assert.equal((await store().resolve(url)).path, path);
  });

  test("files of others beside the models are left alone", async () => {
    await mkdir(join(modelsDir, "notes"), { recursive: true });
    await writeFile(join(modelsDir, "readme.txt"), "mine");
    assert.deepEqual(await store().list(), []);
  });

  test("a check can be cancelled", async () => {
    await store().resolve(hub.serve("/small.gguf", { content: MODEL }));
    await assert.rejects(store().verify("small", { signal: AbortSignal.abort() }), { code: "cancelled" });
  });
});

describe("two at once", () => {
  test("in one process: one fetches, the other waits, and both have the model", async () => {
    const url = hub.serve("/small.gguf", { content: MODEL, breaks: [100_000, 100_000] });
    const models = await Promise.all([store().resolve(url), store().resolve(url), store().resolve(url)]);
    assert.equal(new Set(models.map(({ path }) => path)).size, 1);
    assert.deepEqual(hub.ranges(), [undefined, "bytes=100000-", "bytes=200000-"]);
  });

  test("in two processes: the second shows the progress of the first", async () => {
    const file = { content: MODEL, stallsAfter: 100_000 };
    const url = hub.serve("/small.gguf", file);
    const [first, second] = [child(url), child(url)];
    const waiting = await Promise.race([reportOf(first, "waiting"), reportOf(second, "waiting")]);
    assert.equal(waiting.total, MODEL.length);
    const holder = waiting.pid === first.pid ? second : first;
    const waiter = waiting.pid === first.pid ? first : second;
    await assert.rejects(store().remove(url), { code: "not_ready" });
    // The one that fetches is killed; the other takes over what it has and ends the download.
    hub.serve("/small.gguf", { content: MODEL });
    holder.kill("SIGKILL");
    await once(holder, "exit");
    await expireLocks();
    const ended = await reportOf(waiter, "resolved");
    assert.ok((await readFile(ended.path ?? "")).equals(MODEL));
    assert.deepEqual(hub.ranges(), [undefined, "bytes=100000-"]);
    await once(waiter, "exit");
  });

  test("one whose lock is taken away stops writing", async () => {
    const url = hub.serve("/small.gguf", { content: MODEL, stallsAfter: 10 });
    const resolving = store().resolve(url, {
      onProgress: async ({ total }) => {
        if (total !== null) await expireLocks();
      },
    });
    await assert.rejects(resolving, { code: "download_failed", message: /lock .+small.+ was lost/ });
  });

  test("waiting can be cancelled", async () => {
    const url = hub.serve("/small.gguf", { content: MODEL, stallsAfter: 10 });
    const [fetching, waiting] = [new AbortController(), new AbortController()];
    const first = store().resolve(url, { signal: fetching.signal, onProgress: () => waiting.abort() });
    const rejected = assert.rejects(first, { code: "cancelled" });
    await assert.rejects(store().resolve(url, { signal: waiting.signal }), { code: "cancelled" });
    fetching.abort();
    await rejected;
  });
});

interface ChildReport {
  readonly pid: number;
  readonly phase: string;
  readonly total?: number | null;
  readonly path?: string;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const process of children.splice(0)) process.kill("SIGKILL");
});

function child(url: string): ChildProcess {
  const script = fileURLToPath(new URL("./model-store-child.js", import.meta.url));
  const started = fork(script, [modelsDir, url]);
  children.push(started);
  return started;
}

function reportOf(process: ChildProcess, phase: string): Promise<ChildReport> {
  return new Promise((resolve) => {
    process.on("message", (report: ChildReport) => {
      if (report.phase === phase && report.total !== null) resolve(report);
    });
  });
}

/** A lock that nobody renews goes stale after some seconds; this makes it so at once. */
async function expireLocks(): Promise<void> {
  for (const name of await readdir(modelsDir)) {
    if (name.endsWith(".lock")) await utimes(join(modelsDir, name), 0, 0);
  }
}
