import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { eventually } from "../support/eventually.js";
import { NodeProcess } from "../support/node-process.js";

const addressSchema = z.object({ address: z.string(), in_use: z.boolean(), reason: z.string().nullable() });
const nodeSchema = z.object({
  id: z.string(),
  name: z.string(),
  state: z.string(),
  reason: z.string().nullable(),
  notice: z.string().optional(),
  address: z.string(),
  addresses: z.array(addressSchema).optional(),
});
const clusterSchema = z.object({ node: z.object({ id: z.string() }), nodes: z.array(nodeSchema) });

async function nodesOf(node: NodeProcess): Promise<readonly z.infer<typeof nodeSchema>[]> {
  return clusterSchema.parse(await (await fetch(`${node.http}/cluster`)).json()).nodes;
}

async function start(context: TestContext, options: Parameters<typeof NodeProcess.start>[0]): Promise<NodeProcess> {
  const node = await NodeProcess.start(options);
  context.after(() => node.stop());
  return node;
}

async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

describe("nodes", () => {
  test("that know one and the same third find each other, and lose who stops", async (t) => {
    const middle = await start(t, { name: "middle" });
    const [left, right] = await Promise.all(
      ["left", "right"].map((name) => start(t, { name, args: ["--peer", middle.grpc] })),
    );
    assert.ok(left && right);
    const all = [left, middle, right];
    await eventually(async () => {
      for (const node of all) {
        const states = (await nodesOf(node)).map(({ name, state }) => `${name} ${state}`).sort();
        assert.deepEqual(states, ["left alive", "middle alive", "right alive"]);
      }
    });
    const seen = (await nodesOf(left)).find(({ name }) => name === "right");
    assert.equal(seen?.address, right.grpc);
    assert.deepEqual(seen?.addresses, [{ address: right.grpc, in_use: true, reason: null }]);
    await right.kill();
    await eventually(async () => {
      for (const node of [left, middle]) {
        assert.equal((await nodesOf(node)).find(({ name }) => name === "right")?.state, "gone");
      }
    });
  });

  test("of one name are told apart by their ids", async (t) => {
    const one = await start(t, { name: "mini" });
    const other = await start(t, { name: "mini", args: ["--peer", one.grpc] });
    await eventually(async () => {
      for (const node of [one, other]) {
        const nodes = await nodesOf(node);
        assert.deepEqual(
          nodes.map(({ name }) => name),
          nodes.map(({ id }) => `mini (${id.slice(0, 4)})`),
        );
        assert.equal(nodes.length, 2);
      }
    });
  });

  test("that share one identity file say so, both", { skip: process.platform !== "linux" }, async (t) => {
    const home = await mkdtemp(join(tmpdir(), "exo-native-shared-"));
    t.after(() => rm(home, { recursive: true, force: true }));
    const port = await freePort();
    const first = await start(t, { name: "first", home, args: ["--grpc", `127.0.0.1:${port}`] });
    const second = await start(t, {
      name: "second",
      home,
      args: ["--grpc", `127.0.0.2:${port}`, "--peer", first.grpc],
    });
    const remedy = /has the same id as this node \([0-9a-f]{16}\): .*EXO_NATIVE_HOME/;
    await eventually(async () => {
      const [self] = await nodesOf(first);
      assert.match(self?.notice ?? "", remedy);
      assert.match(self?.notice ?? "", /^second at 127\.0\.0\.\d:\d+ /);
      const [own, seen] = await nodesOf(second);
      assert.match(own?.notice ?? "", remedy);
      assert.equal(seen?.state, "refused");
      assert.match(seen?.reason ?? "", remedy);
    });
  });
});
