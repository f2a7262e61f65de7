import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clusterDocument } from "../../src/cli/node-client/cluster-document.js";
import { NodeClient } from "../../src/cli/node-client/node-client.js";
import { plainPaint } from "../../src/cli/terminal/paint.js";
import type { Way } from "../../src/cli/verify/ask-ring.js";
import { compareAnswer, isMismatch, referenceRow } from "../../src/cli/verify/compare-answer.js";
import { findWholeModel } from "../../src/cli/verify/find-whole-model.js";
import { ringComputing } from "../../src/cli/verify/ring-computing.js";
import { EXACT_TOLERANCE, mustBeExact } from "../../src/cli/verify/tolerance.js";
import { mismatchText, verifyReport, verifyTable } from "../../src/cli/verify/verify-report.js";
import { ModelStore } from "../../src/model/model-store.js";
import type { Device } from "../../src/native/devices.js";
import { writeTinyModel } from "../support/tiny-gguf.js";
import { twoNodeCluster } from "./cli-sample-cluster.js";

const token = (id: number, logprob: number) => ({ id, text: `<${id}>`, logprob });
const row = (bestToken: number, bestLogprob: number, logprob = bestLogprob) => ({ bestToken, bestLogprob, logprob });

describe("comparing an answer with one node's", () => {
  test("a row of logits: log-probabilities of the best and of the chosen token", () => {
    const logits = Float32Array.from([0, Math.log(2), Math.log(5)]);
    const { bestToken, bestLogprob, logprob } = referenceRow(logits, 1);
    assert.equal(bestToken, 2);
    assert.ok(Math.abs(bestLogprob - Math.log(5 / 8)) < 1e-6);
    assert.ok(Math.abs(logprob - Math.log(2 / 8)) < 1e-6);
    assert.ok(Number.isFinite(referenceRow(Float32Array.from([1e4, -1e4]), 0).logprob), "large logits do not overflow");
    assert.ok(Number.isNaN(referenceRow(logits, 9).logprob), "a token that the whole model does not have");
  });

  test("the same tokens and nearly the same probabilities are equal", () => {
    const found = compareAnswer([token(1, -0.5), token(2, -1)], [row(1, -0.52), row(2, -1.04)]);
    assert.equal(found.differentTokens, 0);
    assert.equal(found.firstDifference, null);
    assert.ok(Math.abs(found.largestDifference - 0.04) < 1e-9);
    assert.ok(Math.abs(found.meanDifference - 0.03) < 1e-9);
    assert.equal(isMismatch(found, 0.25), false);
  });

  test("a close choice that tips is told and passes; a clear one does not", () => {
    const close = compareAnswer([token(1, -0.7), token(2, -1)], [row(3, -0.69, -0.7), row(2, -1)]);
    assert.equal(close.firstDifference?.at, 0);
    assert.equal(close.firstDifference?.referenceToken, 3);
    assert.ok(Math.abs((close.firstDifference?.gap ?? 0) - 0.01) < 1e-9);
    assert.equal(isMismatch(close, 0.25), false);
    const clear = compareAnswer([token(1, -6)], [row(3, -0.1, -6)]);
    assert.equal(isMismatch(clear, 0.25), true, "the log-probability agrees, the choice does not");
  });

  test("many small differences and one large one are both mismatches; so is a NaN", () => {
    const many = Array.from({ length: 9 }, (_, id) => token(id, -1));
    assert.equal(
      isMismatch(
        compareAnswer(
          many,
          many.map(({ id }) => row(id, -1.3)),
        ),
        0.25,
      ),
      true,
    );
    const rows = many.map(({ id }) => row(id, id === 4 ? -3 : -1));
    assert.equal(isMismatch(compareAnswer(many, rows), 0.25), true);
    const nan = compareAnswer([token(1, Number.NaN)], [row(1, -1)]);
    assert.equal(nan.largestDifference, Number.POSITIVE_INFINITY);
    assert.equal(isMismatch(nan, 0.25), true);
  });
});

describe("what is said of it", () => {
  const cluster = clusterDocument.parse(twoNodeCluster());
  const [ring] = cluster.rings;
  assert.ok(ring !== undefined);
  const target = {
    client: new NodeClient(new URL("http://127.0.0.1:1"), null),
    model: {
      id: "tinyllama",
      aliases: [],
      loaded: true,
      contextSize: null,
      vocabularySize: null,
      parameterCount: null,
      bytes: null,
    },
    ring,
  };
  const report = (
    tokens: Parameters<typeof compareAnswer>[0],
    rows: Parameters<typeof compareAnswer>[1],
    tolerance = 0.25,
  ) => {
    const answer = { way: "alone", label: "8 tokens, alone", prompt: [1, 2], tokens, cachedTokens: 0 } as const;
    const compared = [{ answer, comparison: compareAnswer(tokens, rows), referenceText: " sea", tolerance }];
    return verifyReport(target, { reference: "/models/a.gguf", tolerance: 0.25, complete: true, compared });
  };

  test("when all is well", () => {
    const text = verifyTable(report([token(1, -0.5)], [row(1, -0.5)]), 80, plainPaint);
    assert.match(text, /8 tokens, alone +1 +0 +0\.00000 +0\.00000 +same/);
    assert.match(text.replaceAll("\n", " "), /took nothing from its prefix cache/);
    assert.match(
      text.replaceAll("\n", " "),
      /computes what one node computes: 1 tokens compared, every token the same/,
    );
    for (const line of text.split("\n").slice(1)) assert.ok(line.length <= 80, line);
  });

  test("when it is not: where, what instead, and by how much", () => {
    const wrong = report([token(1, -0.5)], [row(7, -0.1, -4)]);
    assert.equal(wrong.ok, false);
    assert.match(mismatchText(wrong), /prompt of 8 tokens, alone.* off by 3\.50 .*"<1>" where one node says " sea"/);
    assert.match(verifyTable(wrong, 80, plainPaint), /differs/);
    assert.equal(report([token(1, -0.5)], [row(1, -0.51)]).ok, true);
    const inexact = report([token(1, -0.5)], [row(1, -0.51)], EXACT_TOLERANCE);
    assert.equal(inexact.ok, false);
    assert.match(mismatchText(inexact), /where 0\.001 and 0\.004 pass/);
    assert.equal(report([token(1, Number.NaN)], [row(1, -1)]).largest_difference, null, "JSON has no infinity");
  });
});

describe("an answer that has to be exact", () => {
  const computing = { ubatch: 512, kv: "f16", kv_v: "f16", flash_attention: "auto", wire: "f32" };
  const cpu = { name: "CPU", description: "a processor", kind: "cpu", memoryFree: 0, memoryTotal: 0 } as const;
  const config = { ubatch: 512, kv: "f16", kvV: null, flashAttention: "auto" } as const;

  function isExact(
    ring: Parameters<typeof twoNodeCluster>[0],
    { way = "alone" as Way, promptTokens = 200, devices = [cpu] as readonly Device[] } = {},
  ): boolean {
    const cluster = clusterDocument.parse(twoNodeCluster({ busy_slots: 0, ...ring }));
    const [first] = cluster.rings;
    assert.ok(first !== undefined);
    const answer = { way, prompt: Array.from({ length: promptTokens }, () => 1), tokens: [token(1, -1)] };
    return mustBeExact(answer, { ring: first, cluster }, ringComputing(first, config), devices);
  }

  test("was computed alone, in known chunks, with f32 on the wire, on processors like this one", () => {
    assert.equal(isExact({ computing }), true);
    assert.equal(isExact({ computing }, { way: "from the cache" }), false);
    assert.equal(isExact({ computing }, { promptTokens: 1024 }), false);
    assert.equal(isExact({ computing }, { devices: [{ ...cpu, description: "another processor" }] }), false);
    assert.equal(isExact({ computing }, { devices: [cpu, { ...cpu, kind: "gpu" }] }), false);
    assert.equal(isExact({ computing, busy_slots: 1 }), false);
    assert.equal(isExact({ computing: { ...computing, wire: "f16" } }), false);
    assert.equal(isExact({}), false, "an older node does not tell");
  });

  test("the whole model computes as the ring does, or as the options say where the ring does not tell", () => {
    const [told] = clusterDocument.parse(twoNodeCluster({ computing: { ...computing, ubatch: 64, kv: "q8_0" } })).rings;
    const [untold] = clusterDocument.parse(twoNodeCluster({ computing: { ...computing, kv: "a newer one" } })).rings;
    assert.ok(told !== undefined && untold !== undefined);
    const { ubatch, kv, kvV } = ringComputing(told, config);
    assert.deepEqual([ubatch, kv, kvV], [64, "q8_0", "f16"]);
    assert.deepEqual([ringComputing(untold, config).told, ringComputing(untold, config).kv], [false, config.kv]);
  });
});

describe("the file to compare with", () => {
  const model = {
    id: "tiny",
    aliases: [],
    loaded: true,
    contextSize: null,
    vocabularySize: null,
    parameterCount: null,
    bytes: null,
  };
  const [ring] = clusterDocument.parse(twoNodeCluster()).rings;
  assert.ok(ring !== undefined);
  const store = new ModelStore({ modelsDir: "/nonexistent" });

  test("is the one that the ring was made of, if it is here and the same", async (context) => {
    const { path, remove } = writeTinyModel();
    context.after(remove);
    const target = { model, ring: { ...ring, spec: path } };
    assert.equal((await findWholeModel(target, null, store)).path, path);
    const other = { ...target, model: { ...model, bytes: 7 } };
    await assert.rejects(findWholeModel(other, null, store), /is not the file that the ring was made of/);
    assert.equal((await findWholeModel(other, path, store)).path, path, "a named one may be of another size");
    const strange = { ...target, model: { ...model, vocabularySize: 7 } };
    await assert.rejects(findWholeModel(strange, path, store), /different vocabularies/);
  });

  test("is not fetched", async () => {
    const target = { model, ring: { ...ring, spec: "tinyllama" } };
    await assert.rejects(findWholeModel(target, null, store), /tinyllama is not here; fetch it .*--against/);
    await assert.rejects(findWholeModel(target, "/nonexistent/x.gguf", store), /x\.gguf is not here/);
  });
});
