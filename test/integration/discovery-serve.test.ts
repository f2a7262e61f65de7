import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { choosePorts } from "../../src/cli/demo/free-ports.js";
import { eventually } from "../support/eventually.js";
import { NodeProcess } from "../support/node-process.js";

const clusterSchema = z.looseObject({
  nodes: z.array(
    z.looseObject({
      name: z.string(),
      state: z.string(),
      reason: z.string().nullable(),
      notice: z.string().optional(),
    }),
  ),
  discovery: z.looseObject({
    sources: z.array(z.looseObject({ kind: z.string(), state: z.string(), detail: z.string().nullable() })),
    peers: z.array(z.looseObject({ address: z.string(), state: z.string(), reason: z.string().nullable() })),
  }),
});

async function cluster(node: NodeProcess): Promise<z.infer<typeof clusterSchema>> {
  return clusterSchema.parse(await (await fetch(`${node.http}/cluster`)).json());
}

describe("nodes on this machine", () => {
  let home = "";
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-discovery-"));
  });
  after(() => rm(home, { recursive: true }));

  async function start(t: TestContext, name: string, ...args: readonly string[]): Promise<NodeProcess> {
    const node = await NodeProcess.start({ name, args });
    t.after(() => node.kill());
    return node;
  }

  test("follow a file of peers that all of them share", async (t) => {
    const [port = 0] = await choosePorts([0]);
    const file = join(home, "peers");
    await writeFile(file, `# this one, and one that is not there\n127.0.0.1:${port}\n`);
    const first = await start(t, "first", "--grpc", `127.0.0.1:${port}`, "--peers-file", file);
    await eventually(async () => {
      const { nodes, discovery } = await cluster(first);
      assert.deepEqual(
        nodes.map(({ name }) => name),
        ["first"],
      );
      const [itself] = discovery.peers;
      assert.deepEqual([itself?.state, itself?.reason], ["self", `127.0.0.1:${port} is this node itself.`]);
    });
    const second = await start(t, "second", "--discovery", "static");
    await writeFile(file, `127.0.0.1:${port}\n${second.grpc}\n`);
    await eventually(async () => {
      const alive = (await cluster(first)).nodes.filter(({ state }) => state === "alive").map(({ name }) => name);
      assert.deepEqual(alive.sort(), ["first", "second"]);
    }, 30_000);
  });

  test("of another cluster are refused by both, with the reason", async (t) => {
    const red = await start(t, "red", "--cluster", "red");
    const blue = await start(t, "blue", "--cluster", "blue", "--peer", red.grpc);
    await eventually(async () => {
      const [refused] = (await cluster(blue)).nodes.filter(({ state }) => state === "refused");
      assert.match(refused?.reason ?? "", /^Nodes of the clusters "blue" and "red" keep apart/);
    });
    assert.equal((await cluster(red)).nodes.length, 1);
  });

  test("that are called alike work together, with a notice", async (t) => {
    const one = await start(t, "twin");
    const other = await start(t, "twin", "--peer", one.grpc);
    await eventually(async () => {
      const { nodes } = await cluster(other);
      assert.deepEqual(
        nodes.map(({ state, notice }) => [state, notice]),
        [
          ["alive", "2 nodes are named twin; start each with a --name of its own."],
          ["alive", undefined],
        ],
      );
    });
  });

  test("do not start with a file of peers that cannot be read, or is none", async () => {
    const file = join(home, "wrong");
    await writeFile(file, "http://desk\n");
    for (const [path, sentence] of [
      [file, /Line 1 of .*wrong is no address/],
      [join(home, "nonesuch"), /The file of peers cannot be read: ENOENT/],
    ] as const) {
      await assert.rejects(NodeProcess.start({ name: "x", args: ["--peers-file", path] }), sentence);
    }
  });

  test("say what they look for and where", async (t) => {
    const quiet = await start(t, "quiet", "--no-discovery");
    assert.deepEqual((await cluster(quiet)).discovery.sources, []);
    const tailnet = await start(t, "tailnet", "--discovery", "static,tailscale");
    const { sources } = (await cluster(tailnet)).discovery;
    assert.deepEqual(
      sources.map(({ kind }) => kind),
      ["static", "tailscale"],
    );
    assert.deepEqual(sources[0]?.detail, "No peer is named.");
  });
});
