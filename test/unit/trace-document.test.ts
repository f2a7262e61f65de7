import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type ChromeEvent, toChromeTrace } from "../../src/api/traces/chrome-trace.js";
import { traceDocument, traceLines } from "../../src/api/traces/trace-document.js";
import type { NodeTrace, Span } from "../../src/core/trace.js";

const REQUEST = { requestId: "r1", traceId: "a".repeat(32), parentId: "b".repeat(16), running: false, dropped: 0 };

function span(name: string, nodeId: string, begin: number, end: number, more: Partial<Span> = {}): Span {
  return { name, nodeId, stage: null, begin, end, attributes: {}, ...more };
}

/** An entry node that asked a head whose clock is `behind` seconds late. */
function parts(behind = 0): NodeTrace[] {
  const attributes = { head: "h", model: "tiny" };
  const entry = [
    span("http", "e", 100, 103, { attributes: { status: 200 } }),
    span("route", "e", 100.1, 100.2, { attributes }),
    span("ask", "e", 100.2, 102.9, { attributes }),
  ];
  const head = [
    span("head", "h", 100.3 - behind, 102.8 - behind, {
      stage: 0,
      attributes: { model: "tiny", completion_tokens: 5 },
    }),
    span("decode", "h", 101 - behind, 102 - behind, { stage: 0 }),
    span("compute", "w", 101.2 - behind, 101.4 - behind, { stage: 1 }),
    span("hop", "w", 101.4 - behind, 101.5 - behind, { stage: 1, attributes: { from_stage: 1, to_stage: 0 } }),
  ];
  return [
    { ...REQUEST, nodeId: "h", begin: 100.3 - behind, end: 102.8 - behind, spans: head },
    { ...REQUEST, nodeId: "e", begin: 100, end: 103, spans: entry },
  ];
}

const nameOf = (id: string): string => `node ${id}`;

describe("the trace of a request", () => {
  test("is put together from what its nodes recorded", () => {
    const document = traceDocument(parts(), nameOf);
    assert.ok(document !== null);
    assert.deepEqual([document.request_id, document.begin, document.end], ["r1", 100, 103]);
    assert.deepEqual(
      document.spans.map(({ name }) => name),
      ["http", "route", "ask", "head", "decode", "compute", "hop"],
    );
    assert.deepEqual(
      document.nodes.map(({ name }) => name),
      ["node e", "node h", "node w"],
    );
    assert.equal(traceDocument([], nameOf), null);
  });

  test("has what a head recorded within the time that the entry node waited for it, whatever its clock says", () => {
    for (const behind of [-3600, 0.5, 86_400]) {
      const document = traceDocument(parts(behind), nameOf);
      const of = (name: string) => document?.spans.find((one) => one.name === name) ?? assert.fail(name);
      assert.ok(of("head").begin >= of("ask").begin && of("head").end <= of("ask").end);
      assert.ok(Math.abs(of("decode").begin - of("head").begin - 0.7) < 1e-6);
    }
  });

  test("leaves a clock alone that agrees", () => {
    assert.equal(traceDocument(parts(0.05), nameOf)?.spans.find(({ name }) => name === "head")?.begin, 100.25);
  });

  test("does not mix two requests with one id", () => {
    const older = parts().map((part) => ({ ...part, traceId: "c".repeat(32), begin: 1, end: 2, dropped: 9 }));
    assert.equal(traceDocument([...older, ...parts()], nameOf)?.dropped, 0);
  });

  test("stands in the list with its model, status and tokens", () => {
    const [line, ...others] = traceLines(parts());
    assert.deepEqual(others, []);
    assert.equal(line?.model, "tiny");
    assert.equal(line?.status, 200);
    assert.equal(line?.completion_tokens, 5);
    assert.equal(line?.seconds, 3);
  });
});

type Complete = Extract<ChromeEvent, { ph: "X" }>;

function completeOf(events: readonly ChromeEvent[]): Complete[] {
  return events.filter((event): event is Complete => event.ph === "X");
}

/** What chrome://tracing and Perfetto ask of the JSON form. */
function assertLoads(events: readonly ChromeEvent[]): void {
  const threads = new Set(events.filter(({ ph, name }) => ph === "M" && name === "thread_name").map(threadOf));
  const pids = new Set(events.filter(({ ph, name }) => ph === "M" && name === "process_name").map(({ pid }) => pid));
  const byThread = new Map<string, Complete[]>();
  for (const event of completeOf(events)) {
    assert.ok(Number.isFinite(event.ts) && event.ts >= 0 && event.dur >= 0);
    assert.ok(Number.isInteger(event.pid) && Number.isInteger(event.tid));
    assert.ok(pids.has(event.pid) && threads.has(threadOf(event)), "every thread and process has a name");
    byThread.set(threadOf(event), [...(byThread.get(threadOf(event)) ?? []), event]);
  }
  for (const all of byThread.values()) {
    for (const a of all) for (const b of all) assert.ok(apartOrNested(a, b), `${a.name} and ${b.name} overlap`);
  }
}

function threadOf({ pid, tid }: { readonly pid: number; readonly tid: number }): string {
  return `${pid}/${tid}`;
}

function apartOrNested(a: Complete, b: Complete): boolean {
  const [first, second] = a.ts < b.ts || (a.ts === b.ts && a.dur >= b.dur) ? [a, b] : [b, a];
  const rounding = 1e-6;
  const [firstEnd, secondEnd] = [first.ts + first.dur, second.ts + second.dur];
  return second.ts >= firstEnd - rounding || secondEnd <= firstEnd + rounding;
}

describe("the same for chrome://tracing", () => {
  test("has nodes as processes, and stages and hops as threads", () => {
    const document = traceDocument(parts(), nameOf) ?? assert.fail();
    const trace = JSON.parse(JSON.stringify(toChromeTrace(document))) as ReturnType<typeof toChromeTrace>;
    assertLoads(trace.traceEvents);
    const names = trace.traceEvents.flatMap((event) => (event.ph === "M" ? [event.args.name] : []));
    assert.deepEqual(names.sort(), ["hop 1 → 0", "node e", "node h", "node w", "request", "request", "stage 1"]);
    const [http] = completeOf(trace.traceEvents);
    assert.equal(http?.ts, 0);
    assert.ok(Math.abs((http?.dur ?? 0) - 3e6) < 1e-3);
  });

  test("never has spans in one thread that overlap without containing each other", () => {
    const times = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }));
    const one = fc.record({ times, name: fc.constantFrom("prefill", "compute", "hop"), stage: fc.nat({ max: 1 }) });
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 25 }), (spans) => {
        const made = spans.map(({ times: [a, b], name, stage }) =>
          span(name, "h", 1e9 + Math.min(a, b) / 7, 1e9 + Math.max(a, b) / 7, {
            stage,
            attributes: { from_stage: stage, to_stage: 1 - stage },
          }),
        );
        const begin = Math.min(...made.map((own) => own.begin));
        const document = traceDocument([{ ...REQUEST, nodeId: "h", begin, end: 1e9 + 9, spans: made }], nameOf);
        assert.ok(document !== null);
        assertLoads(toChromeTrace(document).traceEvents);
      }),
      { numRuns: 200 },
    );
  });
});
