import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { loadNodeId } from "../../src/cluster/identity.js";

describe("a node's id", () => {
  let directory = "";
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "exo-native-identity-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test("stays the same, and differs by port", async () => {
    const id = await loadNodeId(directory, 1000);
    assert.equal(await loadNodeId(directory, 1000), id);
    assert.notEqual(await loadNodeId(directory, 1001), id);
  });

  test("is the same for nodes that start for the first time together", async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, () => loadNodeId(directory, 1000)));
    assert.equal(new Set(ids).size, 1);
    assert.deepEqual(await readdir(directory), ["machine-id"]);
  });

  test("is made anew when the file is empty or damaged, and kept from then on", async () => {
    for (const damaged of ["", "\n", "not an id"]) {
      await writeFile(join(directory, "machine-id"), damaged);
      const id = await loadNodeId(directory, 1000);
      assert.equal(await loadNodeId(directory, 1000), id);
    }
  });

  test("is a new one each time on any free port", async () => {
    assert.notEqual(await loadNodeId(directory, 0), await loadNodeId(directory, 0));
  });
});
