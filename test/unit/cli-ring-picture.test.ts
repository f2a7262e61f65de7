import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ClusterSnapshot } from "../../src/api/cluster-snapshot.js";
import { type ClusterDocument, clusterDocument } from "../../src/cli/node-client/cluster-document.js";
import { ringProgress } from "../../src/cli/node-client/ring-progress.js";
import { drawCluster } from "../../src/cli/terminal/cluster-picture.js";
import { visibleLength } from "../../src/cli/terminal/columns.js";
import { type Paint, plainPaint } from "../../src/cli/terminal/paint.js";
import { twoNodeCluster } from "./cli-sample-cluster.js";

/** As the command reads it from the wire. */
const readable = (snapshot: ClusterSnapshot): ClusterDocument => clusterDocument.parse(snapshot);

describe("picture of a cluster", () => {
  test("nodes, the ring with its layers and memory, and the way back to the head", () => {
    assert.equal(
      drawCluster(readable(twoNodeCluster()), 80, plainPaint),
      `● node-a  127.0.0.1:52416  CPU 18.0 GiB of 23.4 GiB free  this node
● node-b  127.0.0.1:52418  CPU 18.0 GiB of 23.4 GiB free

Seen, but not used:
○ unknown  10.0.0.9:52416  refused
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

  test("a ring that waits says so, and for what", () => {
    const reason = "Waiting for nodes: 1 of 2 are here.";
    const cluster = readable(twoNodeCluster({ state: "waiting", reason, stages: [], progress: 0 }));
    const text = drawCluster(cluster, 80, plainPaint);
    assert.match(text, /tinyllama {2}waiting · 22 layers/);
    assert.match(text, /Waiting for nodes: 1 of 2 are here\./);
    const [ring] = cluster.rings;
    assert.ok(ring !== undefined);
    const { state, reason: told } = ringProgress(cluster, ring);
    assert.deepEqual([state, told], ["waiting", reason]);
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

  test("speed, links, downloads and what was predicted are shown where nodes tell of them", () => {
    const cluster = twoNodeCluster({
      rates: { decode_tokens_per_second: 12.34, prompt_tokens_per_second: 220.4 },
      hops: { samples: 9, p50_ms: 0.351, p99_ms: 12.06 },
      prediction: {
        predicted: { decode_tokens_per_second: 13, ttft_seconds: 0.5 },
        measured: { decode_tokens_per_second: 12, ttft_seconds: null, requests: 4 },
      },
    });
    const links = [
      { from: "a", to: "b", one_way_ms: 0.21, bytes_per_second: 9.41e8 },
      { from: "b", to: "c", one_way_ms: 9, bytes_per_second: 1 },
    ];
    const downloads = [{ spec: "https://host/m.gguf", model: "m", received: 50, total: 200, phase: "downloading" }];
    const nodes = cluster.nodes.map((node) => (node.id === "b" ? { ...node, power: "battery", downloads } : node));
    const text = drawCluster(readable({ ...cluster, nodes, links }), 100, plainPaint);
    assert.match(text, /^ {2}12\.3 tok\/s · prompts 220 tok\/s · hop 0\.35 ms, p99 12\.1 ms$/m);
    assert.match(text, /predicted 13\.0 tok\/s, measured 12\.0 \(8 % off\) · predicted 0\.50 s to the first token/);
    assert.match(text, /^ {2}│ {5}↓ 0\.21 ms, 897\.4 MiB\/s$/m);
    assert.match(text, /^ {2}╰─────╯$/m);
    assert.match(text, /node-b fetching m {2}█.*25 % {2}50 B of 200 B/);
    assert.match(text, /^● node-b .* on battery$/m);
  });

  test("the way back has a link, too, and a download of unknown size no percentage", () => {
    const links = [{ from: "b", to: "a", one_way_ms: 1, bytes_per_second: 1e6 }];
    const downloads = [{ spec: "https://host/m.gguf", received: 7, total: null, phase: "verifying" }];
    const [first, ...others] = twoNodeCluster().nodes;
    const nodes = [{ ...first, downloads }, ...others];
    const text = drawCluster(clusterDocument.parse({ ...twoNodeCluster(), nodes, links }), 80, plainPaint);
    assert.match(text, /^ {2}╰─────╯ 1\.00 ms, 976\.6 KiB\/s$/m);
    assert.match(text, /node-a verifying https:\/\/host\/m\.gguf {2}░+ {2}7 B$/m);
  });

  test("a node's notice, what found a stranger, and a ring that is drained", () => {
    const cluster = twoNodeCluster({ draining: true, replica: 1 });
    const nodes = cluster.nodes.map((node) =>
      node.state === "refused" ? { ...node, source: "mdns" } : { ...node, notice: "Another node has this name." },
    );
    const text = drawCluster(readable({ ...cluster, nodes }), 100, plainPaint);
    assert.match(text, /^ {4}Another node has this name\.$/m);
    assert.match(text, /refused {2}found by mdns$/m);
    assert.match(text, /replica 1 · draining$/m);
  });

  test("fields of another shape than ours are left out, not refused", () => {
    const odd = { ...twoNodeCluster({ rates: "fast", prediction: 7 }), links: { a: 1 } };
    assert.match(drawCluster(readable(odd), 80, plainPaint), /tinyllama {2}ready/);
  });

  test("a node that holds no layers of what is placed says so, and why", () => {
    const cluster = twoNodeCluster({
      plan: ["Aims for speed.", "node-c is not used: it would make every token slower."],
    });
    const nodes = [...cluster.nodes, { ...cluster.nodes[0], id: "c", name: "node-c" }];
    const text = drawCluster(clusterDocument.parse({ ...cluster, nodes }), 80, plainPaint);
    assert.match(text, /^● node-c .* no layers\n {4}Not used for tinyllama: it would make every token slower\.$/m);
  });

  test("every line fits, from 60 columns to 200", () => {
    const name = fc.string({ minLength: 1, maxLength: 63, unit: "grapheme-ascii" });
    const sentence = fc.array(fc.string({ maxLength: 70, unit: "grapheme-ascii" }), { maxLength: 12 });
    const cluster = fc.record({
      names: fc.array(name, { minLength: 1, maxLength: 5 }),
      model: name,
      reason: sentence.map((words) => words.join(" ")),
      layers: fc.integer({ min: 6, max: 999 }),
      rate: fc.double({ min: 0, max: 1e6, noNaN: true }),
      state: fc.constantFrom("ready", "loading", "failed"),
    });
    fc.assert(
      fc.property(
        cluster,
        fc.integer({ min: 60, max: 200 }),
        ({ names, model, reason, layers, rate, state }, width) => {
          const base = clusterOf(names, layers);
          const [ring] = base.rings;
          const nodes = names.map((node, index) => wideNode(node, index, reason));
          const rates = { decode_tokens_per_second: rate, prompt_tokens_per_second: rate };
          const links = names.map((from, index) => {
            return { from, to: names[(index + 1) % names.length], one_way_ms: 1e6, bytes_per_second: 1e12 };
          });
          const told = { ...base, nodes, links, rings: [{ ...ring, model, reason, state, rates, phase: "load" }] };
          for (const paint of [plainPaint, coloured]) {
            for (const line of drawCluster(clusterDocument.parse(told), width, paint).split("\n")) {
              assert.ok(visibleLength(line) < width, `${visibleLength(line)} of ${width}: ${line}`);
            }
          }
        },
      ),
    );
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

const coloured: Paint = (_, text) => `\u001b[36m${text}\u001b[39m`;

/** A node with a long address, four devices, and much to say. */
function wideNode(name: string, index: number, reason: string) {
  const device = { name: "CUDA0", description: "a card", memory_total: 8e10, memory_free: 7.9e10 };
  const strange = {
    ...twoNodeCluster().nodes[0],
    id: name,
    name,
    address: "[fd7a:115c:a1e0:ab12:4843:cd96:626b:430b]:52416",
  };
  return {
    ...strange,
    version: index % 3 === 2 ? "" : "0.1.0",
    state: index % 3 === 2 ? "refused" : "alive",
    reason: index % 2 === 0 ? null : reason,
    power: "battery",
    devices: [device, device, device, device],
    notice: reason,
    source: "tailscale",
    downloads: [{ spec: name, received: 1, total: 3, phase: "downloading" }],
  };
}

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
