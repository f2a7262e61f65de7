import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { type NamespaceHost, NamespaceLan, whyNoNamespaces } from "../support/namespaces.js";
import { NodeProcess } from "../support/node-process.js";

const skip = whyNoNamespaces();

const clusterSchema = z.looseObject({
  nodes: z.array(
    z.looseObject({ name: z.string(), address: z.string(), state: z.string(), reason: z.string().nullable() }),
  ),
  discovery: z.looseObject({
    sources: z.array(z.looseObject({ kind: z.string(), state: z.string(), detail: z.string().nullable() })),
    peers: z.array(z.looseObject({ source: z.string(), state: z.string(), link: z.string().nullable() })),
  }),
});

interface Started {
  readonly host: NamespaceHost;
  readonly node: NodeProcess;
}

async function cluster({ host, node }: Started): Promise<z.infer<typeof clusterSchema>> {
  return clusterSchema.parse(JSON.parse(await host.get(`${node.http}/cluster`)));
}

async function alive(started: Started): Promise<readonly string[]> {
  const { nodes } = await cluster(started);
  return nodes
    .filter(({ state }) => state === "alive")
    .map(({ name }) => name)
    .sort();
}

/** Waits until each of these nodes counts exactly these as alive. */
async function know(nodes: readonly Started[], names: readonly string[]): Promise<void> {
  await eventually(async () => {
    for (const started of nodes) assert.deepEqual(await alive(started), [...names].sort(), started.node.name);
  }, 60_000);
}

/** Waits until a request to this node, whose model is elsewhere, is answered. */
async function answers({ host, node }: Started): Promise<void> {
  await eventually(async () => {
    const body = { prompt: "one two", max_tokens: 4, temperature: 0, ignore_eos: true };
    const answer = await host.post(`${node.http}/v1/completions`, body);
    assert.match(answer, /"finish_reason":"length"/, answer);
  }, 60_000);
}

describe("hosts on one network", { skip }, () => {
  let lan: NamespaceLan;
  let home = "";

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-namespaces-"));
    lan = await NamespaceLan.create("lan");
  });
  after(async () => {
    await lan.remove();
    await rm(home, { recursive: true, force: true });
  });

  /** `serve --open` on a host, and nothing else but what the test adds. The same name is the same node again. */
  async function start(
    t: TestContext,
    host: NamespaceHost,
    name: string,
    ...more: readonly string[]
  ): Promise<Started> {
    const args = ["--open", "--grpc", ":52416", "--threads", "1", ...more];
    const node = await NodeProcess.start({ name, args, home: join(home, name), before: host.before });
    t.after(() => node.kill());
    return { host, node };
  }

  test("find each other without an address, leave, come back, and answer as one", async (t) => {
    const names = ["a", "b", "c", "d"];
    const hosts = await Promise.all(names.map((name) => lan.host(name, { ipv6: false })));
    await Promise.all(hosts.map((host, index) => host.address(`10.77.0.${index + 1}/24`)));
    const others = await Promise.all(hosts.slice(1).map((host, index) => start(t, host, names[index + 1] ?? "")));
    const [first] = hosts;
    assert.ok(first !== undefined);
    const head = await start(t, first, "a", tinyModel(), "--min-nodes", "4");
    const all = [head, ...others];
    await know(all, names);

    const { discovery } = await cluster(head);
    assert.deepEqual(
      discovery.peers.filter(({ state }) => state === "reachable").map(({ source, link }) => [source, link]),
      [
        ["mdns", "wired"],
        ["mdns", "wired"],
        ["mdns", "wired"],
      ],
    );
    const mdns = discovery.sources.find(({ kind }) => kind === "mdns");
    assert.deepEqual([mdns?.state, mdns?.detail], ["running", "On eth0 (wired, IPv4)."]);

    const [b, c] = others;
    assert.ok(b !== undefined && c !== undefined);
    await answers(b);

    assert.equal(await c.node.stop(), 0);
    await know([head, b], ["a", "b", "d"]);
    await start(t, c.host, "c");
    await know([head, b], names);

    await b.host.cable("down");
    await know([head], ["a", "c", "d"]);
    // Nobody ended a connection: it was missed.
    assert.match(head.node.log, /b fell silent/);
    await b.host.cable("up");
    await know([head, b], names);
  });

  test("find each other with IPv6 alone, even without a router", async (t) => {
    const [s1, s2] = [await lan.host("s1"), await lan.host("s2")];
    await s1.address("fd77::1/64");
    const six = ["--cluster", "six"];
    const nodes = await Promise.all([
      start(t, s1, "six-0", tinyModel(), "--min-nodes", "2", ...six),
      start(t, s2, "six-1", ...six),
    ]);
    await know(nodes, ["six-0", "six-1"]);
    await answers(nodes[1]);
    const { nodes: seen } = await cluster(nodes[0]);
    assert.match(seen.find(({ name }) => name === "six-1")?.address ?? "", /^\[fe80::[0-9a-f:]+%eth0\]:52416$/);
  });

  test("of two clusters stay with their own, and say who the others are", async (t) => {
    const hosts = await Promise.all(["w1", "w2", "w3", "w4"].map((name) => lan.host(name, { ipv6: false })));
    await Promise.all(hosts.map((host, index) => host.address(`10.78.0.${index + 1}/24`)));
    const clusters = ["red", "red", "blue", "blue"];
    const nodes = await Promise.all(
      hosts.map((host, index) => start(t, host, `w${index + 1}`, "--cluster", clusters[index] ?? "")),
    );
    await know(nodes.slice(0, 2), ["w1", "w2"]);
    await know(nodes.slice(2), ["w3", "w4"]);
    const [one] = nodes;
    assert.ok(one !== undefined);
    await eventually(async () => {
      const refused = (await cluster(one)).nodes.filter(({ state }) => state === "refused");
      assert.deepEqual(refused.map(({ name }) => name).sort(), ["w3", "w4"]);
      assert.ok(
        refused.every(({ reason }) => /clusters "(?:red|blue)" and "(?:red|blue)" keep apart/.test(reason ?? "")),
      );
    });
  });

  test("with one id, from a copied disk, are told apart and say so", async (t) => {
    const hosts = await Promise.all(["k1", "k2"].map((name) => lan.host(name, { ipv6: false })));
    await Promise.all(hosts.map((host, index) => host.address(`10.80.0.${index + 1}/24`)));
    const nodes: Started[] = [];
    for (const host of hosts) nodes.push(await start(t, host, "copy"));
    for (const node of nodes) {
      await eventually(async () => {
        const [refused] = (await cluster(node)).nodes.filter(({ state }) => state === "refused");
        assert.match(refused?.reason ?? "", /^copy at 10\.80\.0\.\d:52416 has the same id as this node/);
      });
    }
  });

  test("are found by a cable that is plugged in later, and by an address that changes", async (t) => {
    const [x, y] = await Promise.all(["x", "y"].map((name) => lan.host(name, { ipv6: false })));
    assert.ok(x !== undefined && y !== undefined);
    await x.address("10.79.0.1/24");
    const nodes = await Promise.all([start(t, x, "x", "--cluster", "late"), start(t, y, "y", "--cluster", "late")]);
    await know(nodes.slice(0, 1), ["x"]);
    await y.address("10.79.0.2/24");
    await know(nodes, ["x", "y"]);
    await y.removeAddress("10.79.0.2/24");
    await know(nodes.slice(0, 1), ["x"]);
    await y.address("10.79.0.9/24");
    await know(nodes, ["x", "y"]);
  });
});
