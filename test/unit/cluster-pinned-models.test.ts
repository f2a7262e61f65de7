import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { modelRequest } from "../../src/cluster/model-request.js";
import { PinFile } from "../../src/cluster/pin-file.js";
import { PinnedModels } from "../../src/cluster/pinned-models.js";
import { silentLogger } from "../../src/core/ports.js";
import { SETTINGS } from "../support/manager-network.js";

async function pinFile(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "exo-pins-"));
  context.after(() => rm(directory, { recursive: true }));
  return join(directory, "config", "pinned-1.json");
}

const pinsIn = (path: string) => new PinnedModels(new PinFile(path, silentLogger));
const request = (spec: string) => modelRequest(spec, { ...SETTINGS, keepAlive: 5 }, { pinned: true });
const ring = (spec: string) => ({ model: spec, spec, askedAs: spec, replica: 0 });

describe("PinnedModels", () => {
  test("keeps what was asked for until the next start, and forgets what was unloaded", async (context) => {
    const path = await pinFile(context);
    const pins = pinsIn(path);
    await pins.restore([]);
    await Promise.all([pins.keep(request("one")), pins.keep(request("two"))]);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const after = pinsIn(path);
    await after.restore([]);
    assert.deepEqual(after.list(), [request("one"), request("two")]);
    await after.forget(ring("one"));
    const later = pinsIn(path);
    await later.restore([]);
    assert.deepEqual(later.list(), [request("two")]);
  });

  test("what the node was started with is not kept, and wins over what was", async (context) => {
    const path = await pinFile(context);
    const pins = pinsIn(path);
    await pins.restore([]);
    await pins.keep(request("one"));
    const given = { ...request("one"), minNodes: 3 };
    const started = pinsIn(path);
    await started.restore([given, request("two")]);
    assert.deepEqual(started.list(), [given, request("two")]);
    assert.equal((await readFile(path, "utf8")).includes("two"), false);
  });

  test("what was kept stays kept through a start that names it, and what a start names can be kept", async (context) => {
    const path = await pinFile(context);
    const first = pinsIn(path);
    await first.restore([]);
    await first.keep(request("one"));
    const second = pinsIn(path);
    await second.restore([request("one"), request("given")]);
    await second.keep(request("two"));
    await second.keep(request("given"));
    assert.deepEqual(second.list(), [request("one"), request("given"), request("two")]);
    const third = pinsIn(path);
    await third.restore([]);
    assert.deepEqual(third.list(), [request("one"), request("two"), request("given")]);
    await third.forget(ring("one"));
    const last = pinsIn(path);
    await last.restore([]);
    assert.deepEqual(last.list(), [request("two"), request("given")]);
  });

  test("a file that cannot be read does not keep a node from starting", async (context) => {
    const path = await pinFile(context);
    const pins = pinsIn(path);
    await pins.keep(request("one"));
    for (const text of ["", "{", '{"pinned": [{"spec": 1}]}', '{"pinned": 7}', "[]"]) {
      await writeFile(path, text);
      const started = pinsIn(path);
      await started.restore([]);
      assert.deepEqual(started.list(), [], text);
    }
  });
});
