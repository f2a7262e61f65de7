import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { runClients } from "../load/client-load.js";
import { LoadedNode } from "../load/loaded-node.js";
import { eventually } from "../support/eventually.js";

const CLIENTS = 200;

describe(`${CLIENTS} clients at once, and one that would have it all`, { timeout: 180_000 }, () => {
  let loaded: LoadedNode;
  before(async () => {
    const limits = ["--slots", "8", "--queue", "128"];
    loaded = await LoadedNode.start(CLIENTS + 1, ["--threads", "1", "--ctx", "64", ...limits]);
  });
  after(() => loaded.stop());

  test("each gets its answer or is told when to come again, and nothing of them stays behind", async () => {
    const idle = await loaded.held();
    const outcome = await runClients({
      url: new URL(loaded.node.http),
      keys: loaded.keys.slice(0, CLIENTS),
      answers: 1,
      greedyKeys: loaded.keys.slice(CLIENTS, CLIENTS + 1),
      greedyRequests: 40,
      maxTokens: 2,
    });
    const all = [...outcome.clients, ...outcome.greedy];
    assert.deepEqual(
      all.flatMap(({ faults }) => faults),
      [],
    );
    assert.ok(outcome.clients.every(({ answered }) => answered === 1));
    const refused = all.reduce((sum, client) => sum + client.refused, 0);
    assert.ok(refused > 0, "more came than could wait");
    assert.equal(
      all.reduce((sum, client) => sum + client.withoutRetryAfter, 0),
      0,
    );
    await eventually(async () => {
      const { busySlots, waiting, files } = await loaded.held();
      assert.deepEqual([busySlots, waiting], [0, 0]);
      // The connections of the clients are gone; this question has one.
      if (files !== null && idle.files !== null)
        assert.ok(files <= idle.files + 3, `${files} instead of ${idle.files}`);
    });
  });
});
