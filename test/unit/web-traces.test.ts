import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseDoctor } from "../../src/web/api/doctor-document.js";
import { parseTrace } from "../../src/web/api/trace-document.js";
import { summaryText } from "../../src/web/doctor/summary-text.js";
import { waterfallOf } from "../../src/web/traces/waterfall.js";

const span = (
  name: string,
  node: string,
  stage: number | null,
  begin: number,
  end: number,
  attributes: object = {},
) => ({
  name,
  node_id: node,
  stage,
  begin,
  end,
  attributes,
});

describe("a request over time", () => {
  const trace = parseTrace({
    request_id: "q1",
    nodes: [{ id: "desk", name: "Desk" }],
    spans: [
      span("compute", "laptop", 1, 105, 106),
      span("compute", "desk", 0, 102, 104, { seconds: 3 }),
      span("http", "desk", null, 100, 110),
      span("compute", "desk", 0, 107, 108),
      span("hop", "desk", 0, 104, 105),
    ],
  });
  const { seconds, lanes } = waterfallOf(trace.spans);

  test("has a lane for each part at each place, grouped by node, what holds the others first", () => {
    assert.equal(seconds, 10);
    assert.deepEqual(
      lanes.map(({ nodeId, stage, name, bars }) => [nodeId, stage, name, bars.length]),
      [
        ["desk", null, "http", 1],
        ["desk", 0, "compute", 2],
        ["desk", 0, "hop", 1],
        ["laptop", 1, "compute", 1],
      ],
    );
  });

  test("knows the nodes by name", () => {
    assert.deepEqual([...trace.nodeNames], [["desk", "Desk"]]);
  });

  test("places bars as shares of the whole and tells what was measured", () => {
    const compute = lanes[1];
    assert.deepEqual(
      compute?.bars.map(({ left, width }) => [left, width]),
      [
        [0.2, 0.2],
        [0.7, 0.1],
      ],
    );
    assert.deepEqual([compute?.seconds, compute?.longest], [4, 3]);
  });

  test("does not stumble over what makes no sense", () => {
    assert.deepEqual(waterfallOf([]), { seconds: 0, lanes: [] });
    const odd = parseTrace({ spans: [span("x", "a", null, 5, 4), span("y", "a", null, 7, 7), { name: "z" }] });
    const { lanes: left } = waterfallOf(odd.spans);
    assert.ok(left.every(({ bars }) => bars.every((bar) => bar.left >= 0 && bar.left <= 1 && bar.width >= 0)));
    assert.equal(parseTrace("nonsense").spans.length, 0);
  });
});

describe("findings", () => {
  test("of every kind are counted; a new kind is a note", () => {
    const { findings } = parseDoctor({
      findings: [
        { id: "a", severity: "problem", title: "A", detail: "", mend: "Do it." },
        { id: "b", severity: "ok", title: "B", detail: "", mend: null },
        { id: "c", severity: "strange", title: "C" },
      ],
    });
    assert.equal(summaryText(findings), "1 problem, 1 note, 1 in order");
    assert.equal(summaryText([]), "No problem, 0 in order");
    assert.deepEqual([findings[0]?.mend, findings[2]?.mend], ["Do it.", null]);
  });
});
