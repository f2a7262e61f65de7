import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { ChildNode } from "../../src/cli/demo/child-node.js";
import { choosePorts } from "../../src/cli/demo/free-ports.js";
import { waitForRing } from "../../src/cli/demo/ring-watch.js";
import { NodeClient } from "../../src/cli/node-client/node-client.js";
import type { PlacementProgress } from "../../src/cluster/placement-progress.js";
import { StubNode } from "./cli-stub-node.js";

describe("parts of the demo", () => {
  test("ports that are taken are replaced by free ones, all different", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const address = taken.address();
    assert.ok(typeof address === "object" && address !== null);
    const [free = 0] = await choosePorts([0]);
    const ports = await choosePorts([address.port, free, address.port]);
    assert.equal(ports[1], free);
    assert.ok(!ports.includes(address.port));
    assert.equal(new Set(ports).size, 3);
    taken.close();
  });

  test("a node that ends on its own leaves its reason", async () => {
    const node = new ChildNode("node-x", ["--http", "nowhere at all"], process.env);
    const reason = await node.ended;
    assert.match(reason, /^it ended with exit code 2: Expected an address such as .* received "nowhere at all"$/);
    await node.stop();
  });

  test("the ring is looked at until it is ready", async () => {
    const stub = await StubNode.start();
    try {
      const seen: PlacementProgress[] = [];
      const client = new NodeClient(new URL(stub.url), null);
      const { ring } = await waitForRing(client, (progress) => seen.push(progress), new AbortController().signal);
      assert.equal(ring.model, "tinyllama");
      assert.deepEqual(
        seen.at(-1)?.stages.map((stage) => stage.nodeName),
        ["node-a", "node-b"],
      );
    } finally {
      await stub.stop();
    }
  });

  test("looking ends when it is no longer wanted", async () => {
    const nobody = new NodeClient(new URL("http://127.0.0.1:9"), null);
    await assert.rejects(
      waitForRing(nobody, () => {}, AbortSignal.timeout(50)),
      { name: "AbortError" },
    );
  });
});
