import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseNodeRecord } from "../../src/cluster/node-record.js";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger } from "../../src/core/ports.js";
import type { ModelSpeed } from "../../src/planning/speeds.js";
import { PassLog } from "../../src/runtime/pass-log.js";
import { gatherSpeeds, type SpeedSources } from "../../src/runtime/probe/gather-speeds.js";
import { StageUses } from "../../src/runtime/probe/stage-uses.js";
import type { ProbeModelRequest } from "../../src/transport/node-service.js";
import { sampleRecord } from "../support/sample-record.js";

const NEVER = new AbortController().signal;
const REQUEST = {
  model: "demo",
  microBatchSize: 512,
  kvTypeK: "f16",
  kvTypeV: "f16",
  flashAttention: "auto",
} as const;

function speed(seconds: number): ModelSpeed {
  return {
    kinds: [{ passes: [{ rows: 1, seconds }], perCachedToken: 0, perCachedTokenOfMany: 0 }],
    kindOfLayer: [0],
    output: [{ rows: 1, seconds }],
    perPass: 0,
  };
}

type Answer = (request: ProbeModelRequest, signal: AbortSignal) => Promise<ModelSpeed>;

/** Node `a` asks; the others answer as told. */
function sources(own: Answer, others: Readonly<Record<string, Answer>>, hopOverhead = 0): SpeedSources {
  return {
    selfId: "a",
    own,
    find: (id) => {
      const probeModel = others[id];
      return probeModel === undefined ? null : { client: { probeModel } };
    },
    links: async ({ links }) => links,
    hopOverhead: () => hopOverhead,
    logger: silentLogger,
  };
}

describe("the speeds of a set of nodes", () => {
  const link = { seconds: 0.001, bytesPerSecond: 1e8 };
  const nodes = [
    sampleRecord({ id: "a", machine: "m", cores: [0, 1, 2, 3], links: [{ to: "b", ...link }] }),
    sampleRecord({
      id: "b",
      machine: "m",
      threads: { decode: 1, batch: null },
      cores: [0, 1, 2, 3],
      links: [
        { to: "a", ...link },
        { to: "gone", ...link },
      ],
    }),
    sampleRecord({ id: "c", machine: "n", cores: [0, 1] }),
  ];

  test("are what each node says, asked for its part of its machine's cores", async () => {
    const asked: [string, number][] = [];
    const answer =
      (id: string, seconds: number): Answer =>
      async ({ cores }) => {
        asked.push([id, cores]);
        return speed(seconds);
      };
    const all = sources(answer("a", 1), { b: answer("b", 2), c: answer("c", 3) });
    const found = await gatherSpeeds(all, nodes, REQUEST, 1000, NEVER);
    assert.deepEqual([...found.nodes.keys()].sort(), ["a", "b", "c"]);
    assert.deepEqual(found.nodes.get("c"), speed(3));
    assert.deepEqual(asked.sort(), [
      ["a", 2],
      ["b", 2],
      ["c", 2],
    ]);
  });

  test("are measured one after the other on the same machine, at the same time on others", async () => {
    const underWay = new Set<string>();
    const together: string[] = [];
    const answer =
      (id: string): Answer =>
      async () => {
        for (const other of underWay) together.push([id, other].sort().join(" "));
        underWay.add(id);
        await new Promise((resolve) => setImmediate(resolve));
        underWay.delete(id);
        return speed(1);
      };
    await gatherSpeeds(sources(answer("a"), { b: answer("b"), c: answer("c") }), nodes, REQUEST, 1000, NEVER);
    assert.ok(together.includes("a c"));
    assert.ok(!together.includes("a b"));
  });

  test("are measured once for nodes of one machine that compute alike", async () => {
    const asked: string[] = [];
    const answer =
      (id: string): Answer =>
      async () => {
        asked.push(id);
        return speed(1);
      };
    const alike = ["a", "b", "c"].map((id) => sampleRecord({ id, machine: id === "c" ? "n" : "m", cores: [0, 1] }));
    const all = sources(answer("a"), { b: answer("b"), c: answer("c") });
    const found = await gatherSpeeds(all, alike, REQUEST, 1000, NEVER);
    assert.deepEqual([...found.nodes.keys()].sort(), ["a", "b", "c"]);
    // Nodes that share two cores have one each; the one of the other machine has both of its own.
    assert.deepEqual(asked.sort(), ["a", "c"]);
  });

  test("lack a node that fails, is not there, or does not answer in time", async () => {
    const failing: Answer = async () => {
      throw new ExoError("not_ready", "Busy.");
    };
    const hanging: Answer = (_request, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new ExoError("cancelled", "Given up.")));
      });
    const found = await gatherSpeeds(
      sources(async () => speed(1), { b: hanging }),
      nodes,
      REQUEST,
      0,
      NEVER,
    );
    assert.deepEqual([...found.nodes.keys()], ["a"]);
    const none = await gatherSpeeds(sources(failing, { b: failing, c: failing }), nodes, REQUEST, 1000, NEVER);
    assert.equal(none.nodes.size, 0);
  });

  test("hold the links between these nodes, each with what hops take beyond it", async () => {
    const { links } = await gatherSpeeds(
      sources(async () => speed(1), {}, 0.002),
      nodes,
      REQUEST,
      1000,
      NEVER,
    );
    assert.deepEqual(links, [
      { from: "a", to: "b", seconds: 0.003, bytesPerSecond: 1e8 },
      { from: "b", to: "a", seconds: 0.003, bytesPerSecond: 1e8 },
    ]);
  });

  test("hold the links as they are known when the nodes have been measured", async () => {
    const fresh = sources(async () => speed(1), {});
    const links = async ({ id }: { readonly id: string }) =>
      id === "a" ? [{ to: "b", seconds: 9, bytesPerSecond: 1 }] : [];
    const found = await gatherSpeeds({ ...fresh, links }, nodes, REQUEST, 1000, NEVER);
    assert.deepEqual(found.links, [{ from: "a", to: "b", seconds: 9, bytesPerSecond: 1 }]);
  });

  test("are not told when nobody wants them any more", async () => {
    const abort = new AbortController();
    const own: Answer = async () => {
      abort.abort();
      return speed(1);
    };
    await assert.rejects(gatherSpeeds(sources(own, {}), nodes, REQUEST, 1000, abort.signal), { code: "cancelled" });
  });

  test("cannot be told of a link that is none", () => {
    for (const wrong of [
      { to: "b", seconds: -1, bytesPerSecond: 1 },
      { to: "b", seconds: 0, bytesPerSecond: 0 },
    ]) {
      assert.throws(() => parseNodeRecord({ ...nodes[0], links: [wrong] }), { code: "peer_incompatible" });
    }
    assert.throws(() => parseNodeRecord({ ...nodes[0], power: "nuclear" }), { code: "peer_incompatible" });
    assert.deepEqual(parseNodeRecord(nodes[0]).links, nodes[0]?.links);
  });
});

describe("what stages did lately", () => {
  test("is what they did since the last look, and nothing at the first", () => {
    const log = new PassLog();
    const row = new Uint8Array(12);
    const held = {
      request: { ...REQUEST, layerBegin: 1, layerEnd: 2, hasOutput: false },
      stage: { options: { threads: 2, batchThreads: 3 } },
      parts: () => [{ layerBegin: 1, layerEnd: 2, hasOutput: false, passes: log.snapshot() }],
    };
    const uses = new StageUses({ list: () => [] }, { held: () => [held] });
    log.add(row, 9);
    assert.deepEqual(uses.take(), []);
    log.add(row, 1);
    log.add(row, 2);
    const [use] = uses.take();
    assert.equal(use?.request.model, "demo");
    assert.deepEqual([use?.threads, use?.batchThreads], [2, 3]);
    assert.deepEqual(
      use?.passes.map(({ seconds }) => seconds),
      [1, 2],
    );
    assert.deepEqual(uses.take()[0]?.passes, []);
  });
});
