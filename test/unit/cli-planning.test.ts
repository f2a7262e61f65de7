import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { estimateDocument } from "../../src/api/planning/estimate-document.js";
import { planDocument } from "../../src/api/planning/plan-document.js";
import { estimateDocumentSchema, planDocumentSchema } from "../../src/cli/node-client/planning-documents.js";
import { drawEstimate } from "../../src/cli/terminal/estimate-picture.js";
import { plainPaint } from "../../src/cli/terminal/paint.js";
import { drawPlan } from "../../src/cli/terminal/plan-picture.js";
import { place } from "../../src/cluster/place.js";
import { estimateModel } from "../../src/planning/estimate.js";
import { UNMEASURED_LINK } from "../../src/planning/ring/make-problem.js";
import { bothWays, speedOf, speedsOf } from "../support/measured-cluster.js";
import { MIB, modelOf, NEEDS, nodeOf } from "./planning-models.js";

const LAYERS = 12;
const model = { id: "tiny", info: modelOf(new Array<number>(LAYERS).fill(10 * MIB)) };
const topology = [nodeOf("a", 120 * MIB, "desk"), nodeOf("b", 120 * MIB, "attic")];
const nodes = topology.map((node) => ({
  ...node,
  devices: node.devices.map((device) => ({ ...device, description: "" })),
  stages: [],
}));
const ring = {
  slots: 2,
  batchSize: 64,
  microBatchSize: 64,
  kvTypeK: "f16",
  kvTypeV: "f16",
  flashAttention: "auto",
  wireType: "f32",
} as const;

function planned(measured: boolean) {
  const speeds = measured ? speedsOf({ a: speedOf(LAYERS, 1), b: speedOf(LAYERS, 2) }, bothWays("a", "b", 0.5)) : null;
  const rest = {
    contextSize: 256,
    layers: null,
    besideHead: null,
    strategy: "latency",
    minNodes: 1,
    head: null,
  } as const;
  return planDocument({ ...place({ model, nodes, ring, speeds, ...rest }), nodes });
}

describe("a plan in the terminal", () => {
  test("shows stages with layers, memory and times, what is predicted, and every reason", () => {
    const document = planned(true);
    const text = drawPlan(planDocumentSchema.parse(document), 80, plainPaint);
    assert.match(text, /^tiny {2}for latency · 12 layers · context 256 · 2 slots$/m);
    assert.match(
      text,
      /^ {2}\w+ \(head\) +\[0, \d+\) +[\d.]+ [KM]iB +[\d.]+ [KM]iB +120\.0 MiB +[\d.]+ ms +[\d.]+ ms$/m,
    );
    assert.match(text, /^- Predicted: [\d.]+ tokens\/s for one answer, [\d.]+ tokens\/s for 2 together/m);
    assert.equal(text.match(/^- /gm)?.length, document.reasons.length);
  });

  test("fits the terminal", () => {
    for (const width of [60, 80, 120]) {
      const text = drawPlan(planDocumentSchema.parse(planned(true)), width, plainPaint);
      const sentences = text
        .split("\n")
        .filter((line) => /^(?:- | {2}\S+ \S+ \S)/.test(line) && !line.includes("MiB "));
      assert.deepEqual(
        sentences.filter((line) => line.length > width),
        [],
      );
    }
  });

  test("shows no times while nothing is measured", () => {
    const text = drawPlan(planDocumentSchema.parse(planned(false)), 80, plainPaint);
    assert.doesNotMatch(text, / ms|Predicted/);
  });
});

describe("an estimate in the terminal", () => {
  const draw = (mebibytes: number) =>
    drawEstimate(
      estimateDocumentSchema.parse(
        estimateDocument(
          estimateModel({
            model: "tiny",
            info: { ...model.info, parameterCount: 300_000_000 },
            nodes: [nodeOf("a", mebibytes * MIB, "desk"), nodeOf("b", mebibytes * MIB, "attic")],
            needs: NEEDS,
            siblings: [],
            link: UNMEASURED_LINK,
            wireType: "f32",
          }),
        ),
      ),
      80,
      plainPaint,
    );

  test("shows what it takes, what each node holds, and what fits", () => {
    const text = draw(120);
    assert.match(text, /^tiny {2}0\.30 B parameters · Q4_0 \([\d.]+ bits each\) · fits, cut$/m);
    assert.match(text, /^ {2}weights +150\.0 MiB$/m);
    assert.match(text, /^ {2}network +[\d.]+ ms {2}per token, 2 hops of 256 B$/m);
    assert.match(text, /^ {2}desk +120\.0 MiB {2}\d+ layers +-$/m);
    assert.match(text, /^- It fits, cut among desk, attic\.$/m);
  });

  test("says what to change where it does not fit", () => {
    assert.match(draw(50), /^- It does not fit: it takes/m);
  });
});
