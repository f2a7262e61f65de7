import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseModels } from "../../src/web/api/models-document.js";
import { parseEstimate, parsePlan, wishFields } from "../../src/web/api/planning-documents.js";
import { downloadText, durationText } from "../../src/web/models/download-text.js";
import { freeMemory, modelRows, roughFit, rowOfModel } from "../../src/web/models/model-rows.js";
import { comparedWith, fitSentence, speedSentence } from "../../src/web/models/speed-text.js";
import { webCluster, webNode, webRing, webStage } from "../support/web-cluster.js";

const GIB = 2 ** 30;

const card = (id: string, value: string, more: object = {}) => ({
  id,
  aliases: [],
  status: { value },
  meta: {},
  ...more,
});

describe("the list of models", () => {
  const models = [{ id: "small", spec: "hf:org/small:Q4", complete: true, bytes: GIB }];
  const part = [{ id: "large", spec: "large", complete: false, bytes: 2 * GIB }];
  const cluster = webCluster(
    [webNode("desk", { models }), webNode("laptop", { models: part })],
    [
      webRing([webStage("desk", 0, 10)], { model: "tiny", spec: "/models/tiny.gguf" }),
      webRing([], { id: "r2", model: "broken", spec: "broken", state: "failed", reason: "No." }),
      webRing([], { id: "r3", model: "held", spec: "held", state: "waiting", reason: "Waiting for nodes." }),
    ],
  );
  const listed = parseModels({
    data: [
      card("tiny", "loaded", { aliases: ["/models/tiny.gguf"], meta: { size: GIB / 2 } }),
      card("small", "unloaded", { aliases: ["hf:org/small:Q4"] }),
      card("large", "unloaded", { meta: { size: 40 * GIB } }),
      card("other", "unloaded", { meta: { size: 2 * GIB } }),
    ],
  });
  const rows = modelRows(listed, cluster);
  const rowOf = (id: string) => rows.find((row) => row.id === id);

  test("tells where each is: on a ring, on a disk, nowhere yet, or failed", () => {
    assert.deepEqual(
      rows.map(({ id, state }) => [id, state]),
      [
        ["broken", "failed"],
        ["held", "waiting"],
        ["tiny", "loaded"],
        ["small", "disk"],
        ["large", "disk"],
        ["other", "catalogue"],
      ],
    );
    assert.equal(rowOf("tiny")?.rings[0]?.id, "r1");
    assert.deepEqual(rowOf("small")?.holders, [{ name: "desk", complete: true, bytes: GIB }]);
    assert.deepEqual([rowOf("small")?.bytes, rowOf("large")?.bytes], [GIB, 40 * GIB]);
  });

  test("finds a model by any of its names, and takes what no list has at its word", () => {
    assert.equal(rowOfModel(rows, "/models/tiny.gguf").id, "tiny");
    assert.equal(rowOfModel(rows, "small").spec, "hf:org/small:Q4");
    assert.deepEqual(rowOfModel(rows, "/other.gguf"), {
      id: "/other.gguf",
      spec: "/other.gguf",
      state: "unlisted",
      bytes: null,
      rings: [],
      holders: [],
    });
  });

  test("says from sizes alone what may fit", () => {
    const free = freeMemory(cluster);
    assert.equal(free, 12 * GIB);
    assert.deepEqual(
      [2, 11.5, 40].map((size) => roughFit(size * GIB, free)),
      ["may fit", "is close", "is too large"],
    );
    assert.deepEqual([roughFit(null, free), roughFit(GIB, 0)], ["", ""]);
  });

  test("machines that are away offer nothing", () => {
    assert.equal(freeMemory(webCluster([webNode("desk"), webNode("laptop", { state: "gone" })])), 6 * GIB);
  });
});

describe("a download in words", () => {
  const download = { received: GIB, total: 3 * GIB, phase: "downloading", bytesPerSecond: 16 * 2 ** 20 };

  test("amount, rate and the time that is left", () => {
    assert.equal(downloadText(download), "1.0 GiB of 3.0 GiB, 16.0 MiB/s, 2 min left");
    assert.equal(downloadText({ ...download, total: null }), "1.0 GiB, 16.0 MiB/s");
    assert.equal(downloadText({ ...download, bytesPerSecond: 0 }), "1.0 GiB of 3.0 GiB");
    assert.match(downloadText({ ...download, phase: "verifying" }), /comparing the bytes/);
    assert.match(downloadText({ ...download, phase: "waiting" }), /another process/);
  });

  test("durations", () => {
    assert.deepEqual([0.2, 59, 90, 3600, 5400].map(durationText), ["1 s", "59 s", "2 min", "1 h", "1 h 30 min"]);
  });
});

describe("plans and estimates in words", () => {
  const plan = parsePlan({
    stages: [
      { node_id: "a", layer_begin: 0, layer_end: 4, memory: { weights: 1 }, predicted: { compute_seconds: 0.01 } },
    ],
    predicted: { prompt_tokens: 512, ttft_seconds: 0.5, decode_tokens_per_second: 20, aggregate_tokens_per_second: 55 },
    unused: [{ node_id: "b", reason: "too slow" }],
  });

  test("the speed, or that nothing is measured", () => {
    assert.match(speedSentence(plan.predicted), /^About 20\.0 tok\/s for one answer, 55\.0 tok\/s .* after 500 ms\.$/);
    const texts = plan.predicted && { ...plan.predicted, embeddings: true };
    assert.match(speedSentence(texts), /^About 20\.0 tok\/s of texts for embeddings .* tokens takes 500 ms\.$/);
    assert.match(speedSentence(parsePlan({}).predicted), /^Nothing is measured yet/);
    assert.deepEqual(plan.unused, [{ nodeId: "b", nodeName: "b", reason: "too slow" }]);
    assert.equal(plan.stages[0]?.hopSeconds, null);
  });

  test("a split beside the planner's", () => {
    assert.ok(plan.predicted !== null);
    const slower = { ...plan.predicted, decodeTokensPerSecond: 15 };
    assert.equal(comparedWith(slower, plan.predicted), "25 % slower than the planner's own choice.");
    assert.equal(comparedWith(plan.predicted, plan.predicted), "As fast as the planner's own choice.");
    assert.equal(comparedWith(null, plan.predicted), "");
  });

  test("what fits, also in a word that this page does not know", () => {
    assert.equal(parseEstimate({ fit: "split", memory: { total: 7 } }).total, 7);
    assert.match(fitSentence("no"), /does not fit/);
    assert.match(fitSentence("half"), /"half"/);
  });

  test("only what was wished for is asked", () => {
    const wishes = { contextSize: 512, slots: null, strategy: null, kv: "q8_0", layers: "0-4@a" };
    assert.deepEqual(wishFields(wishes), { context_size: 512, kv: "q8_0", layers: "0-4@a" });
  });
});
