import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { RequestCounts } from "../../src/api/observation/request-counts.js";
import { emptyRingRecord } from "../../src/cluster/ring-record.js";
import { Distribution } from "../../src/core/distribution.js";
import { LabelledCounts } from "../../src/core/labelled-counts.js";
import { packageRoot } from "../../src/core/package.js";
import { NodeMeters } from "../../src/runtime/meters.js";
import { registerNodeMetrics } from "../../src/telemetry/node-metrics.js";
import { PrometheusMetrics } from "../../src/telemetry/prometheus.js";
import { sampleRecord } from "../support/sample-record.js";

/** A node that is the head of one ring of two nodes, and has answered. */
function someNode() {
  const metrics = new PrometheusMetrics();
  const meters = new NodeMeters();
  const http = new RequestCounts();
  const meter = meters.model("tiny");
  meter.promptTokens = 12;
  meter.firstToken.observe(0.3);
  meter.hopped([0.0004, 0.002]);
  meter.outcomes.add(["stop"]);
  meters.replans.add(["tiny", "broken"]);
  http.requests.add(["POST", "/v1/chat/completions", "200", "tiny"], 2);
  http.errors.add(["/v1/chat/completions", "overloaded"]);
  http.took("/v1/chat/completions", 1.5);
  const stage = { nodeId: "a", nodeName: "a", layerBegin: 0, layerEnd: 1, hasOutput: true, plannedWeights: 1 };
  const memory = { weights: 5, kvCache: 6, compute: 7, output: 8 };
  const stages = [0, 1].map(() => ({ ...stage, plannedBytes: 1, memory, phase: "loaded", progress: 1 }));
  const empty = emptyRingRecord({
    id: "r",
    spec: "/home/someone/tiny.gguf",
    replica: 0,
    proposedBy: "a",
    pinned: true,
  });
  const work = { microBatches: 3, rows: 9, copies: 0, computeSeconds: 2.5, framesSent: 3, bytesSent: 4096 };
  const ring = { ...empty, model: "tiny", state: "ready" as const, slots: 4, busySlots: 1, work, stages };
  const held = { ringId: "r", epoch: 1, model: empty.spec, stageIndex: 0, layerBegin: 0, layerEnd: 1 };
  const self = sampleRecord({
    rings: [ring],
    stages: [{ ...held, hasOutput: true, memory, work }],
    devices: [{ name: "CPU", description: "", kind: "cpu", memoryFree: 10, memoryTotal: 20 }],
    downloads: [
      { spec: "x", model: "other", received: 3, total: 30, phase: "downloading", bytesPerSecond: 2, sources: [] },
    ],
  });
  const head = {
    received: () => ({ framesReceived: 3, bytesReceived: 2048 }),
    deviceMemory: () => [{ name: "CPU", weights: 5, kvCache: 6, compute: 7 }],
  };
  registerNodeMetrics(metrics, {
    self: () => self,
    members: () => [{ state: "suspect", record: sampleRecord({ id: "b" }) }],
    rings: () => [{ head, record: () => ring }],
    stages: () => [],
    meters,
    http,
  });
  return metrics;
}

function linesOf(text: string, name: string): string[] {
  return text.split("\n").filter((line) => new RegExp(`^${name}[{ ]`).test(line));
}

describe("metrics", () => {
  test("tell what the parts of a node counted, when they are asked for", async () => {
    const text = await someNode().text();
    const expected: Record<string, string[]> = {
      exo_native_http_requests_total: [
        'exo_native_http_requests_total{method="POST",route="/v1/chat/completions",status="200",model="tiny"} 2',
      ],
      exo_native_http_errors_total: ['exo_native_http_errors_total{route="/v1/chat/completions",code="overloaded"} 1'],
      exo_native_prompt_tokens_total: ['exo_native_prompt_tokens_total{model="tiny"} 12'],
      exo_native_answers_total: ['exo_native_answers_total{model="tiny",outcome="stop"} 1'],
      exo_native_replans_total: ['exo_native_replans_total{model="tiny",cause="broken"} 1'],
      exo_native_slots: ['exo_native_slots{model="tiny"} 4'],
      exo_native_stage_compute_seconds_total: ['exo_native_stage_compute_seconds_total{model="tiny",stage="0"} 2.5'],
      exo_native_hop_sent_bytes_total: ['exo_native_hop_sent_bytes_total{model="tiny",hop="0-1"} 4096'],
      exo_native_hop_received_bytes_total: ['exo_native_hop_received_bytes_total{model="tiny",hop="1-0"} 2048'],
      exo_native_members: [
        'exo_native_members{state="alive"} 1',
        'exo_native_members{state="suspect"} 1',
        'exo_native_members{state="gone"} 0',
      ],
      exo_native_downloads_active: ["exo_native_downloads_active 1"],
      exo_native_device_memory_free_bytes: ['exo_native_device_memory_free_bytes{device="CPU",kind="cpu"} 10'],
    };
    for (const [name, lines] of Object.entries(expected)) assert.deepEqual(linesOf(text, name), lines);
    assert.match(text, /^process_cpu_seconds_total /m);
    assert.match(text, /^nodejs_heap_size_used_bytes /m);
  });

  test("tell histograms with their classes, sum and count", async () => {
    const text = await someNode().text();
    const name = "exo_native_time_to_first_token_seconds";
    const lines = linesOf(text, `${name}_bucket`);
    assert.ok(lines.includes(`${name}_bucket{le="0.25",model="tiny"} 0`));
    assert.ok(lines.includes(`${name}_bucket{le="0.5",model="tiny"} 1`));
    assert.equal(lines.at(-1), `${name}_bucket{le="+Inf",model="tiny"} 1`);
    assert.deepEqual(linesOf(text, `${name}_sum`), [`${name}_sum{model="tiny"} 0.3`]);
    assert.deepEqual(linesOf(text, `${name}_count`), [`${name}_count{model="tiny"} 1`]);
    assert.match(text, new RegExp(`^# TYPE ${name} histogram$`, "m"));
    assert.equal(linesOf(text, "exo_native_hop_seconds_count").length, 2);
  });

  test("say the same twice: reading changes nothing", async () => {
    const metrics = someNode();
    const own = async () => (await metrics.text()).split("\n").filter((line) => line.startsWith("exo_native_"));
    assert.deepEqual(await own(), await own());
  });

  test("hold no path by which a model was named", async () => {
    assert.doesNotMatch(await someNode().text(), /someone/);
  });

  test("are named with their unit, and only counters end in _total", () => {
    for (const { name, type, help } of someNode().described()) {
      assert.match(name, /^exo_native_[a-z_]+$/);
      assert.equal(name.endsWith("_total"), type === "counter", name);
      if (type === "histogram") assert.match(name, /_seconds$/);
      assert.ok(help.length > 0 && !help.endsWith("."), name);
    }
  });

  test("are those that docs/observability.md lists", () => {
    const page = readFileSync(join(packageRoot(), "docs/observability.md"), "utf8");
    const rows = page.split("\n").filter((line) => line.startsWith("| `exo_native_"));
    const documented = rows.map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    const coded = someNode()
      .described()
      .map(({ name, type, labels, help }) => [
        `\`${name}\``,
        type,
        labels.map((label) => `\`${label}\``).join(", "),
        help,
      ]);
    assert.deepEqual(documented, coded);
  });
});

describe("a distribution", () => {
  test("counts what is at most each bound", () => {
    const distribution = new Distribution([1, 2, 5]);
    for (const value of [0.5, 1, 1.5, 4, 100]) distribution.observe(value);
    assert.deepEqual(distribution.cumulative(), [2, 3, 4]);
    assert.equal(distribution.count, 5);
    assert.equal(distribution.sum, 107);
  });
});

describe("counts by labels", () => {
  test("stay few, however many labels occur", () => {
    const counts = new LabelledCounts(3);
    for (let index = 0; index < 100; index += 1) counts.add([`route-${index}`, "200"]);
    const all = [...counts];
    assert.equal(all.length, 4);
    assert.deepEqual(all.at(-1), { labels: ["other", "other"], value: 97 });
  });

  test("of models that are long gone make room", () => {
    const meters = new NodeMeters();
    for (let index = 0; index < 1000; index += 1) meters.model(`model-${index}`).promptTokens += 1;
    const kept = [...meters.models()];
    assert.ok(kept.length <= 64);
    assert.equal(kept.at(-1)?.[0], "model-999");
  });
});
