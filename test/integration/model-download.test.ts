import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type DownloadRequest, download } from "../../src/model/download.js";
import { type DownloadIo, systemDownloadIo } from "../../src/model/download-io.js";
import { RateLimiter } from "../../src/model/rate-limit.js";
import { Hub } from "./model-hub.js";

const SIZE = 300_000;

/** Bytes that differ at every place. */
function content(seed: number, size = SIZE): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 32 < size; index++) {
    blocks.push(createHash("sha256").update(`${seed}/${index}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, size);
}

let hub = new Hub();
let folder = "";
let destination = "";
beforeEach(async () => {
  hub = new Hub();
  await hub.start();
  folder = await mkdtemp(join(tmpdir(), "exo-download-"));
  destination = join(folder, "below", "model.gguf");
});
afterEach(async () => {
  await hub.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly pauses: number[];
  readonly starts: [from: number, total: number | null][];
  bytes: number;
  readonly done: Promise<void>;
}

/** Starts a download whose pauses take no time. */
function run(url: string, request: Partial<DownloadRequest> = {}, io: Partial<DownloadIo> = {}): Run {
  const state = { pauses: [] as number[], starts: [] as [number, number | null][], bytes: 0 };
  const full: DownloadRequest = {
    url,
    destination,
    bytes: null,
    headers: {},
    limiter: new RateLimiter(null, systemDownloadIo),
    signal: new AbortController().signal,
    onStart: (from, total) => state.starts.push([from, total]),
    onBytes: (count) => {
      state.bytes += count;
    },
    onRetry: (_, pause) => state.pauses.push(pause),
    ...request,
  };
  const quick: DownloadIo = { ...systemDownloadIo, sleep: () => Promise.resolve(), stallMilliseconds: 5000, ...io };
  return Object.assign(state, { done: download(full, quick) });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function assertWhole(expected: Buffer): Promise<void> {
  assert.ok((await readFile(destination)).equals(expected));
  assert.equal(await exists(`${destination}.part`), false);
  assert.equal(await exists(`${destination}.part.json`), false);
}

describe("a file comes whole", () => {
  test("in one go", async () => {
    const url = hub.serve("/m", { content: content(1) });
    const { done, starts } = run(url);
    await done;
    await assertWhole(content(1));
    assert.deepEqual(starts, [[0, SIZE]]);
  });

  test("through a redirect", async () => {
    hub.serve("/real", { content: content(1), breaks: [100_000] });
    await run(hub.serve("/m", { content: Buffer.alloc(0), redirectTo: "/real" })).done;
    await assertWhole(content(1));
    assert.deepEqual(hub.ranges(), [undefined, undefined, "bytes=100000-", "bytes=100000-"]);
  });

  test("from a server that does not say how long it is", async () => {
    const { done, starts } = run(hub.serve("/m", { content: content(1), chunked: true }));
    await done;
    await assertWhole(content(1));
    assert.deepEqual(starts, [[0, null]]);
  });
});

describe("broken connections", () => {
  test("each goes on where the last one broke", async () => {
    const state = run(hub.serve("/m", { content: content(1), breaks: [100_000, 50_000, null] }));
    await state.done;
    await assertWhole(content(1));
    assert.deepEqual(hub.ranges(), [undefined, "bytes=100000-", "bytes=150000-"]);
    assert.equal(hub.requests[1]?.ifRange, `"${SIZE}-${content(1)[0]}"`);
    assert.equal(state.bytes, SIZE);
  });

  test("another process goes on later", async () => {
    const url = hub.serve("/m", { content: content(1), breaks: [100_000] });
    await assert.rejects(run(url, {}, { fruitlessTries: 0 }).done, { code: "download_failed" });
    const state = run(url);
    await state.done;
    await assertWhole(content(1));
    assert.deepEqual(state.starts, [[100_000, SIZE]]);
    assert.equal(state.bytes, 200_000);
  });

  test("by date where there is no strong ETag", async () => {
    const lastModified = "Wed, 21 Oct 2015 07:28:00 GMT";
    const url = hub.serve("/m", { content: content(1), etag: 'W/"weak"', lastModified, breaks: [100_000] });
    await run(url).done;
    await assertWhole(content(1));
    assert.equal(hub.requests[1]?.ifRange, lastModified);
  });

  test("from the beginning where nothing proves it is the same version", async () => {
    await run(hub.serve("/m", { content: content(1), etag: null, breaks: [100_000] })).done;
    await assertWhole(content(1));
    assert.deepEqual(hub.ranges(), [undefined, undefined]);
  });

  test("from the beginning where the server knows no ranges", async () => {
    const state = run(hub.serve("/m", { content: content(1), ignoresRanges: true, breaks: [100_000] }));
    await state.done;
    await assertWhole(content(1));
    assert.deepEqual(state.starts, [
      [0, SIZE],
      [0, SIZE],
    ]);
  });

  test("a server that always breaks off ends the download, with growing pauses", async () => {
    const breaks = new Array<number>(50).fill(1000);
    const state = run(hub.serve("/m", { content: content(1), ignoresRanges: true, breaks }));
    await assert.rejects(state.done, { code: "download_failed", message: /the connection broke, and 6 tries/ });
    assert.deepEqual(state.pauses, [500, 500, 1000, 2000, 4000, 8000]);
  });

  test("a stalled connection is given up and continued", async () => {
    const file = { content: content(1), stallsAfter: 100_000 };
    const url = hub.serve("/m", file);
    const state = run(url, { onRetry: () => hub.serve("/m", { content: content(1) }) }, { stallMilliseconds: 200 });
    await state.done;
    await assertWhole(content(1));
    assert.deepEqual(hub.ranges(), [undefined, "bytes=100000-"]);
  });
});

describe("the file changes on the server meanwhile", () => {
  const changes = { onRetry: () => hub.serve("/m", { content: content(2), etag: '"new"' }) };

  test("a server that honours If-Range sends the new one from the beginning", async () => {
    const state = run(hub.serve("/m", { content: content(1), breaks: [100_000] }), changes);
    await state.done;
    await assertWhole(content(2));
    assert.deepEqual(state.starts, [
      [0, SIZE],
      [0, SIZE],
    ]);
  });

  test("one that does not is found out by its ETag", async () => {
    const onRetry = (): void => {
      hub.serve("/m", { content: content(2), etag: '"new"', ignoresIfRange: true });
    };
    await run(hub.serve("/m", { content: content(1), breaks: [100_000] }), { onRetry }).done;
    await assertWhole(content(2));
    assert.deepEqual(hub.ranges(), [undefined, "bytes=100000-", undefined]);
  });

  test("a shorter one is started over", async () => {
    const onRetry = (): void => {
      hub.serve("/m", { content: content(2, 50_000), etag: '"new"', ignoresIfRange: true });
    };
    await run(hub.serve("/m", { content: content(1), breaks: [100_000] }), { onRetry }).done;
    await assertWhole(content(2, 50_000));
  });

  test("a spec's other URL does not go on with these bytes", async () => {
    const url = hub.serve("/m", { content: content(1), breaks: [100_000] });
    await assert.rejects(run(url, {}, { fruitlessTries: 0 }).done);
    await run(hub.serve("/other", { content: content(2) })).done;
    await assertWhole(content(2));
    assert.equal(hub.ranges().at(-1), undefined);
  });

  test("damaged state beside the part starts over", async () => {
    const url = hub.serve("/m", { content: content(1), breaks: [100_000] });
    await assert.rejects(run(url, {}, { fruitlessTries: 0 }).done);
    await writeFile(`${destination}.part.json`, '{"url":');
    await run(url).done;
    await assertWhole(content(1));
  });
});

describe("answers other than the file", () => {
  for (const status of [401, 403, 404, 410, 451]) {
    test(`${status} is final and named`, async () => {
      const url = hub.serve("/m", { content: content(1), failures: [{ status }] });
      const message = new RegExp(`${url} cannot be fetched: the server answered ${status}`);
      await assert.rejects(run(`${url}`).done, { code: "download_failed", message });
      assert.equal(hub.requests.length, 1);
      assert.equal(await exists(destination), false);
    });
  }

  test("a busy server is asked again when it says", async () => {
    const failures = [{ status: 503 }, { status: 429, retryAfter: "7" }, { status: 502 }];
    const state = run(hub.serve("/m", { content: content(1), failures }));
    await state.done;
    await assertWhole(content(1));
    assert.deepEqual(state.pauses, [500, 7000, 2000]);
  });

  test("a server that stays busy is named", async () => {
    const failures = new Array<{ status: number }>(9).fill({ status: 503 });
    await assert.rejects(run(hub.serve("/m", { content: content(1), failures })).done, {
      code: "download_failed",
      message: /the server answered 503, and 6 tries/,
    });
  });

  test("nobody there", async () => {
    const url = hub.url("/m");
    await hub.stop();
    await assert.rejects(run(url).done, { code: "download_failed", message: /refused the connection/ });
    await hub.start();
  });

  test("a signature in the query is not repeated", async () => {
    await assert.rejects(run(`${hub.url("/none")}?secret=1`).done, (thrown: unknown) => {
      assert.doesNotMatch(String(thrown), /secret/);
      return true;
    });
  });
});

describe("wrong sizes", () => {
  test("another size than is known is refused before anything is fetched", async () => {
    const state = run(hub.serve("/m", { content: content(1) }), { bytes: SIZE + 1 });
    await assert.rejects(state.done, {
      code: "download_failed",
      message: /has 300000 bytes where 300001 are expected/,
    });
    assert.equal(state.bytes, 0);
  });

  test("another size is found out at the end where the server did not say", async () => {
    const state = run(hub.serve("/m", { content: content(1), chunked: true }), { bytes: SIZE + 1 });
    await assert.rejects(state.done, { code: "download_failed", message: /300000 bytes came where 300001/ });
    assert.equal(await exists(`${destination}.part`), false);
  });

  test("a body shorter than its Content-Length is not taken for whole", async () => {
    const url = hub.serve("/m", { content: content(1), claimedLength: SIZE + 10 });
    await assert.rejects(run(url, {}, { fruitlessTries: 2 }).done, { code: "download_failed" });
    assert.equal(await exists(destination), false);
  });
});

describe("room on the disk", () => {
  test("too little is said before anything is fetched, with both sizes", async () => {
    const state = run(hub.serve("/m", { content: content(1) }), {}, { freeBytes: () => Promise.resolve(1000) });
    await assert.rejects(state.done, {
      code: "disk_full",
      message: /needs 293\.0 KiB more in .+ where 1000 B are free/,
    });
    assert.equal(state.bytes, 0);
  });

  test("only what is still missing counts", async () => {
    const url = hub.serve("/m", { content: content(1), breaks: [100_000] });
    await assert.rejects(run(url, {}, { fruitlessTries: 0 }).done);
    await run(url, {}, { freeBytes: () => Promise.resolve(200_000) }).done;
    await assertWhole(content(1));
  });

  test("a directory that cannot be made is named", async () => {
    await writeFile(join(folder, "below"), "a file");
    await assert.rejects(run(hub.serve("/m", { content: content(1) })).done, /below/);
  });
});

describe("cancelling", () => {
  test("in the middle keeps the bytes at hand for later", async () => {
    const controller = new AbortController();
    const url = hub.serve("/m", { content: content(1), stallsAfter: 100_000 });
    let got = 0;
    const onBytes = (count: number): void => {
      got += count;
      if (got === 100_000) controller.abort();
    };
    await assert.rejects(run(url, { signal: controller.signal, onBytes }).done, { code: "cancelled" });
    hub.serve("/m", { content: content(1) });
    const state = run(url);
    await state.done;
    await assertWhole(content(1));
    assert.deepEqual(state.starts, [[100_000, SIZE]]);
  });

  test("in a pause, and before the beginning", async () => {
    const controller = new AbortController();
    const url = hub.serve("/m", { content: content(1), failures: [{ status: 503 }] });
    const onRetry = (): void => controller.abort();
    const { sleep } = systemDownloadIo;
    await assert.rejects(run(url, { signal: controller.signal, onRetry }, { sleep }).done, { code: "cancelled" });
    await assert.rejects(run(url, { signal: controller.signal }).done, { code: "cancelled" });
    assert.equal(hub.requests.length, 1);
  });
});
