import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { RequestOrigin, Span } from "../../src/core/trace.js";
import { parseTraceParent, wellFormedRequestId } from "../../src/core/trace-context.js";
import { AnswerTrace } from "../../src/runtime/tracing/answer-trace.js";
import { passSpans } from "../../src/runtime/tracing/pass-spans.js";
import { type Pass, PassGroups } from "../../src/runtime/tracing/passes.js";
import { TraceBuffer } from "../../src/runtime/tracing/trace-buffer.js";

const leg = { seconds: 0.01, compute: 0.008, queue: 0.001, sampling: 0 };
const WAY = { legs: [leg, leg, { ...leg, sampling: 0.001 }], hops: [0.002, 0.003] };

function pass(index: number, kind: Pass["kind"] = "decode"): Pass {
  return { kind, begun: index * 40, ended: index * 40 + 36, rows: 1, requests: 1, tokens: 1, way: WAY };
}

function originOf(requestId: string, traced = true): RequestOrigin {
  return { requestId, traceId: "a".repeat(32), parentId: "b".repeat(16), traced };
}

function bufferWith(more: { rate?: number; random?: () => number; maxTraces?: number; maxBytes?: number } = {}) {
  let now = 0;
  const clock = { monotonic: () => ++now, wall: () => 1_700_000_000_000 };
  return { buffer: new TraceBuffer({ nodeId: "head", rate: 1, clock, ...more }), clock };
}

describe("the micro-batches of a request", () => {
  test("take bounded room, and none is lost, however many there are", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), (count) => {
        const groups = new PassGroups();
        for (let index = 0; index < count; index += 1) groups.add(pass(index));
        const kept = groups.groups;
        assert.ok(kept.length <= 32);
        assert.equal(
          kept.reduce((total, group) => total + group.microBatches, 0),
          count,
        );
        const hops = kept.reduce((total, group) => total + (group.hops[1] ?? 0), 0);
        const sampling = kept.reduce((total, group) => total + (group.legs[11] ?? 0), 0);
        assert.ok(Math.abs(hops - 0.003 * count) < 1e-6 && Math.abs(sampling - 0.001 * count) < 1e-6);
        assert.equal(kept[0]?.begun, 0);
        assert.equal(kept.at(-1)?.ended, (count - 1) * 40 + 36);
      }),
      { numRuns: 50 },
    );
  });

  test("are told one by one while they are few", () => {
    const groups = new PassGroups();
    for (let index = 0; index < 32; index += 1) groups.add(pass(index));
    assert.ok(groups.groups.every(({ microBatches }) => microBatches === 1));
  });

  test("stay bounded where the ring becomes another one meanwhile", () => {
    const groups = new PassGroups();
    for (let index = 0; index < 500; index += 1) {
      groups.add({ ...pass(index), way: index % 2 === 0 ? WAY : { legs: [leg], hops: [] } });
    }
    assert.ok(groups.groups.length <= 32);
  });

  test("have a span for each stage's computing, each hop and the sampling, laid end to end within the whole", () => {
    const groups = new PassGroups();
    groups.add(pass(0));
    const [group] = groups.groups;
    assert.ok(group !== undefined);
    const place = { nodes: ["head", "worker"], toSeconds: (ms: number) => ms / 1000, attributes: { answer: "x" } };
    const [whole, ...parts] = passSpans("decode", group, place);
    assert.deepEqual(
      parts.map(({ name, nodeId, stage }) => [name, nodeId, stage]),
      [
        ["compute", "head", 0],
        ["hop", "head", 0],
        ["compute", "worker", 1],
        ["hop", "worker", 1],
        ["compute", "head", 0],
        ["sample", "head", 0],
      ],
    );
    assert.ok(whole !== undefined);
    assertWithin(parts, whole);
    assert.equal(parts[1]?.attributes.seconds, 0.002);
  });

  test("are drawn within the time that passed, where several were under way at once", () => {
    const groups = new PassGroups();
    for (let index = 0; index < 64; index += 1) groups.add({ ...pass(0, "prefill"), ended: 36 + index });
    for (const group of groups.groups) {
      const place = { nodes: ["head", "worker"], toSeconds: (ms: number) => ms / 1000, attributes: {} };
      const [whole, ...parts] = passSpans("prefill", group, place);
      assert.ok(whole !== undefined);
      assertWithin(parts, whole);
      assert.ok(Math.abs(Number(parts[1]?.attributes.seconds) - 0.002 * group.microBatches) < 1e-9);
    }
  });
});

function assertWithin(parts: readonly Span[], whole: Span): void {
  for (const { name, begin, end } of parts) {
    assert.ok(
      begin >= whole.begin - 1e-9 && end <= whole.end + 1e-9 && begin <= end + 1e-12,
      `${name} ${begin} ${end}`,
    );
  }
}

describe("the traces of a node", () => {
  test("are bounded in number: the oldest make room", () => {
    const { buffer } = bufferWith({ maxTraces: 3 });
    for (let index = 0; index < 10; index += 1) {
      const record = buffer.open(originOf(`r${index}`));
      assert.ok(record !== null);
      buffer.close(record);
    }
    assert.deepEqual(
      buffer.list().map(({ requestId }) => requestId),
      ["r9", "r8", "r7"],
    );
    assert.equal(buffer.find("r0"), null);
  });

  test("are bounded in bytes", () => {
    const { buffer, clock } = bufferWith({ maxBytes: 40_000 });
    for (let index = 0; index < 50; index += 1) {
      const record = buffer.open(originOf(`r${index}`));
      assert.ok(record !== null);
      const trace = new AnswerTrace(record, { id: "ring", model: "m", nodes: ["head", "worker"] }, "a", clock);
      for (let at = 0; at < 100; at += 1) trace.landed(pass(at));
      trace.ended("stop", {});
      buffer.close(record);
    }
    const kept = buffer.list().length;
    assert.ok(kept >= 1 && kept < 10, `${kept} kept`);
  });

  test("of one request are bounded, and say what found no room", () => {
    const { buffer } = bufferWith();
    const record = buffer.open(originOf("r"));
    assert.ok(record !== null);
    for (let index = 0; index < 1000; index += 1) record.span("x", index, index + 1);
    const trace = buffer.find("r");
    assert.equal(trace?.spans.length, 512);
    assert.equal(trace?.dropped, 488);
  });

  test("are recorded for the part of the requests that was set, and as the caller's own trace says", () => {
    const half = bufferWith({ rate: 0.5, random: () => 0.4 }).buffer;
    assert.equal(half.decides(null), true);
    assert.equal(bufferWith({ rate: 0.3, random: () => 0.4 }).buffer.decides(null), false);
    assert.equal(bufferWith({ rate: 0.3, random: () => 0.4 }).buffer.decides(true), true);
    assert.equal(half.decides(false), false);
  });

  test("are none where they are off, whatever others want", () => {
    const { buffer } = bufferWith({ rate: 0 });
    assert.equal(buffer.decides(true), false);
    assert.equal(buffer.open(originOf("r")), null);
    assert.equal(bufferWith().buffer.open(originOf("r", false)), null);
  });

  test("of a request that comes again under the same id do not mix", () => {
    const { buffer } = bufferWith();
    const first = buffer.begin(originOf("r"));
    first?.span("old", 1, 2);
    buffer.begin(originOf("r"));
    assert.deepEqual(buffer.find("r")?.spans, []);
  });

  test("are handed on once, when the last part of the request is over", () => {
    const { buffer } = bufferWith();
    const told: string[] = [];
    buffer.onComplete((record) => told.push(record.origin.requestId));
    const entry = buffer.begin(originOf("r"));
    const head = buffer.open(originOf("r"));
    assert.ok(entry !== null && head === entry);
    buffer.close(head);
    assert.deepEqual(told, []);
    assert.equal(buffer.find("r")?.running, true);
    buffer.close(entry);
    assert.deepEqual(told, ["r"]);
    assert.equal(buffer.find("r")?.running, false);
  });
});

describe("a traceparent header", () => {
  const id = "4bf92f3577b34da6a3ce929d0e0e4736";
  const parent = "00f067aa0ba902b7";

  test("is read as the standard says", () => {
    assert.deepEqual(parseTraceParent(`00-${id}-${parent}-01`), { traceId: id, parentId: parent, sampled: true });
    assert.equal(parseTraceParent(`00-${id}-${parent}-00`)?.sampled, false);
    assert.equal(parseTraceParent(`cc-${id}-${parent}-01-what-comes-later`)?.traceId, id);
  });

  test("is left alone where it is none", () => {
    const wrong = [
      undefined,
      "",
      `ff-${id}-${parent}-01`,
      `00-${id}-${parent}-01-more`,
      `00-${"0".repeat(32)}-${parent}-01`,
      `00-${id}-${"0".repeat(16)}-01`,
      `00-${id.toUpperCase()}-${parent}-01`,
      `00-${id}-${parent}`,
    ];
    for (const header of wrong) assert.equal(parseTraceParent(header), null, header);
  });
});

describe("a request id", () => {
  test("may stand in logs and paths, or is made anew", () => {
    for (const id of ["a", "req-1", "Root=1-67891233-abcdef", "f3b7c2e1-5d3a-4f7e-9b1a-2c3d4e5f6a7b"]) {
      assert.equal(wellFormedRequestId(id), id);
    }
    for (const id of ["", "-a", "a b", "a\nb", "a/b", 'a"b', "é", "a".repeat(129), ["a"], undefined]) {
      assert.equal(wellFormedRequestId(id), null);
    }
  });
});
