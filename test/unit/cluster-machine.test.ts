import assert from "node:assert/strict";
import { platform } from "node:process";
import { describe, test } from "node:test";
import { machineOf } from "../../src/cluster/machine.js";

describe("the name of what a node's processors belong to", {
  skip: platform !== "linux" && "control groups are Linux's",
}, () => {
  test("is the same for all nodes of a machine, and for those within one limit", async () => {
    assert.equal(await machineOf(null), await machineOf(null));
    assert.equal(await machineOf("/a.slice"), await machineOf("/a.slice"));
  });

  test("is another for each service with a limit of its own", async () => {
    const names = await Promise.all([null, "/a.service", "/b.service"].map(machineOf));
    assert.equal(new Set(names).size, 3);
  });
});
