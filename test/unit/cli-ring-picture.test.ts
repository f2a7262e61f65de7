import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ClusterSnapshot } from "../../src/api/cluster-snapshot.js";
import { type ClusterDocument, clusterDocument } from "../../src/cli/node-client/cluster-document.js";
import { drawCluster } from "../../src/cli/terminal/cluster-picture.js";
import { visibleLength } from "../../src/cli/terminal/columns.js";
import { plainPaint } from "../../src/cli/terminal/paint.js";
import { twoNodeCluster } from "./cli-sample-cluster.js";

/** As the command reads it from the wire. */
const readable = (snapshot: ClusterSnapshot): ClusterDocument => clusterDocument.parse(snapshot);

describe("picture of a cluster", () => {
  test("nodes, the ring with its layers and memory, and the way back to the head", () => {
    assert.equal(
      drawCluster(readable(twoNodeCluster()), 80, plainPaint),
      `● node-a   127.0.0.1:52416  CPU 18.0 GiB of 23.4 GiB free  this node
● node-b   127.0.0.1:52418  CPU 18.0 GiB of 23.4 GiB free
○ unknown  10.0.0.9:52416   refused
    10.0.0.9 is built with llama.cpp b1 (abc), this node with b2 (def); run the
    same exo-native release on both.

tinyllama  ready · 22 layers · context 2048 · 1 of 4 slots busy

                    layers                                    weights  KV cache
  ╭▶ node-a (head)  [0, 11)   ██████████████░░░░░░░░░░░░░░  169.0 MiB  44.0 MiB
  │     ↓
  │  node-b         [11, 22)  ░░░░░░░░░░░░░░██████████████  138.0 MiB  44.0 MiB
  ╰─────╯
`,
    );
  });

  test("a ring that is loading tells how far each stage is, and why it waits", () => {
    const cluster = twoNodeCluster({ state: "loading", reason: "Waiting for nodes: 1 of 2 are here." });
    const text = drawCluster(readable(cluster), 80, plainPaint);
    assert.match(text, /tinyllama {2}loading 50 % · 22 layers/);
    assert.match(text, /Waiting for nodes: 1 of 2 are here\./);
    assert.match(text, /node-b .*load 25 %/);
  });

  test("without a model it says how to get one", () => {
    const text = drawCluster({ ...readable(twoNodeCluster()), rings: [] }, 80, plainPaint);
    assert.match(text, /npx exo-native serve <model>/);
  });

  test("what the API promises can be read, and words of newer nodes too", () => {
    assert.ok(clusterDocument.safeParse(twoNodeCluster()).success);
    const newer = { ...twoNodeCluster(), links: [], nodes: [{ ...twoNodeCluster().nodes[0], state: "draining" }] };
    assert.ok(clusterDocument.safeParse(JSON.parse(JSON.stringify(newer))).success);
  });

  test("a ring fits its terminal, whatever the names and ranges", () => {
    const name = fc.string({ minLength: 1, maxLength: 63, unit: "grapheme-ascii" });
    const ring = fc.record({
      names: fc.array(name, { minLength: 1, maxLength: 6 }),
      layers: fc.integer({ min: 6, max: 128 }),
    });
    fc.assert(
      fc.property(ring, fc.integer({ min: 80, max: 200 }), ({ names, layers }, width) => {
        const picture = drawCluster(readable(clusterOf(names, layers)), width, plainPaint);
        const stages = picture.split("\n").filter((line) => /^ {2}[╭│]/u.test(line));
        assert.ok(stages.length >= names.length);
        for (const line of stages) assert.ok(visibleLength(line) < width, line);
      }),
    );
  });
});

function clusterOf(names: readonly string[], layers: number): ClusterSnapshot {
  const base = twoNodeCluster();
  const [ring] = base.rings;
  const [stage] = ring?.stages ?? [];
  assert.ok(ring !== undefined && stage !== undefined);
  const cut = (index: number) => Math.floor((index * layers) / names.length);
  const stages = names.map((name, index) => ({
    ...stage,
    node_id: name,
    layer_begin: cut(index),
    layer_end: cut(index + 1),
    has_output: index === 0,
  }));
  return { ...base, nodes: [], rings: [{ ...ring, layer_count: layers, stages }] };
}
