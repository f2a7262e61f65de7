import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { eventually } from "../support/eventually.js";
import { sharedModel, tinyModel } from "../support/models.js";
import { type NodeProcess, startRing } from "../support/node-process.js";

const model = sharedModel("stories260K-f16.gguf") ?? tinyModel({ matrices: "f16" });
/** Stands in every prompt here, and may stand nowhere else. */
const SECRET = "Zanzibarquxly";
const ANSWER_TOKENS = 80;

const usageSchema = z.object({
  usage: z.object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    prompt_tokens_details: z.object({ cached_tokens: z.int() }),
  }),
});

const spanSchema = z.object({
  name: z.string(),
  node_id: z.string(),
  stage: z.int().nullable(),
  begin: z.number(),
  end: z.number(),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});
const traceSchema = z.object({
  request_id: z.string(),
  running: z.boolean(),
  dropped: z.int(),
  nodes: z.array(z.object({ id: z.string(), name: z.string() })),
  spans: z.array(spanSchema),
});
type Trace = z.infer<typeof traceSchema>;

const activitySchema = z.object({
  rings: z.array(
    z.object({
      tokens: z.object({ generated: z.int() }),
      stages: z.array(z.object({ stage: z.int(), busy_seconds: z.number() })),
      hops: z.array(z.object({ latest_ms: z.number() })),
    }),
  ),
});

async function textOf(node: NodeProcess, path: string): Promise<string> {
  return (await fetch(`${node.http}${path}`)).text();
}

/** Asks, and returns what usage said. */
async function ask(node: NodeProcess, requestId: string) {
  const body = { prompt: `${SECRET} once upon a time`, max_tokens: ANSWER_TOKENS, temperature: 0, ignore_eos: true };
  const response = await fetch(`${node.http}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-request-id": requestId },
    body: JSON.stringify(body),
  });
  assert.equal(response.headers.get("x-request-id"), requestId);
  return usageSchema.parse(await response.json()).usage;
}

/** The sum of a metric over its label sets. */
function metric(text: string, name: string): number {
  const values = text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  assert.ok(values.length > 0, `${name} is there`);
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

async function traceAt(node: NodeProcess, requestId: string): Promise<Trace> {
  const trace = traceSchema.parse(JSON.parse(await textOf(node, `/cluster/traces/${requestId}`)));
  assert.equal(trace.running, false);
  return trace;
}

describe("what a ring of two nodes lets be seen", () => {
  let head: NodeProcess;
  let worker: NodeProcess;

  before(async () => {
    const ring = await startRing(2, model, ["--ctx", "512", "--slots", "2", "--speculation", "off"]);
    assert.ok(ring[0] !== undefined && ring[1] !== undefined);
    [head, worker] = [ring[0], ring[1]];
  });
  after(async () => {
    await head.stop();
    await worker.stop();
  });

  test("counters add up to what usage said", async () => {
    const first = await ask(worker, "counted-1");
    const second = await ask(head, "counted-2");
    const text = await textOf(head, "/metrics");
    const total = (pick: (usage: typeof first) => number): number => pick(first) + pick(second);
    assert.equal(
      metric(text, "exo_native_prompt_tokens_total"),
      total((usage) => usage.prompt_tokens),
    );
    assert.equal(
      metric(text, "exo_native_cached_prompt_tokens_total"),
      total((usage) => usage.prompt_tokens_details.cached_tokens),
    );
    assert.equal(metric(text, "exo_native_generated_tokens_total"), 2 * ANSWER_TOKENS);
    assert.equal(
      total((usage) => usage.completion_tokens),
      2 * ANSWER_TOKENS,
    );
    assert.equal(metric(text, "exo_native_answers_total"), 2);
    assert.equal(metric(text, "exo_native_time_to_first_token_seconds_count"), 2);
    assert.equal(metric(text, "exo_native_time_per_output_token_seconds_count"), 2);
    assert.equal(metric(text, "exo_native_inter_token_seconds_count"), 2 * (ANSWER_TOKENS - 1));
    assert.equal(metric(text, "exo_native_queue_wait_seconds_count"), 2);
    assert.match(text, /^exo_native_rings\{state="ready"\} 1$/m);
    assert.match(text, /^exo_native_members\{state="alive"\} 2$/m);
  });

  test("each node tells of its own stage, and of the bytes on its edges", async () => {
    const [atHead, atWorker] = await Promise.all([head, worker].map((node) => textOf(node, "/metrics")));
    assert.ok(atHead !== undefined && atWorker !== undefined);
    for (const [text, stage] of [
      [atHead, 0],
      [atWorker, 1],
    ] as const) {
      const lines = text.split("\n").filter((line) => line.startsWith("exo_native_stage_compute_seconds_total{"));
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? "", new RegExp(`model="[^"/]+",stage="${stage}"`));
      assert.ok(metric(text, "exo_native_stage_compute_seconds_total") > 0);
      assert.ok(metric(text, "exo_native_stage_memory_bytes") > 0);
      assert.ok(metric(text, "exo_native_hop_sent_bytes_total") > 0);
      assert.ok(metric(text, "exo_native_hop_received_bytes_total") > 0);
    }
    const hops = atHead.split("\n").filter((line) => line.startsWith("exo_native_hop_seconds_count"));
    assert.deepEqual(hops.map((line) => /hop="([^"]+)"/.exec(line)?.[1]).sort(), ["0-1", "1-0"]);
  });

  test("the trace of a request at the other node has its entry, its wait, its prefill, every stage and every hop", async () => {
    const { completion_tokens } = await ask(worker, "traced-1");
    await eventually(async () => void (await traceAt(worker, "traced-1")));
    const trace = await traceAt(worker, "traced-1");
    const idOf = (name: string) => trace.nodes.find((node) => node.name === name)?.id ?? assert.fail(name);
    const has = (name: string, node: string, stage: number | null): void => {
      const found = trace.spans.some(
        (span) => span.name === name && span.node_id === idOf(node) && span.stage === stage,
      );
      assert.ok(found, `${name} at stage ${stage} of ${node}`);
    };
    for (const name of ["http", "route", "ask"]) has(name, "worker-1", null);
    for (const name of ["head", "tokenize", "queue", "prefill", "decode", "sample", "detokenize"]) has(name, "head", 0);
    has("compute", "head", 0);
    has("compute", "worker-1", 1);
    has("hop", "head", 0);
    has("hop", "worker-1", 1);
    const decoded = trace.spans.filter(({ name }) => name === "decode");
    const tokens = decoded.reduce((sum, { attributes }) => sum + Number(attributes.tokens), 0);
    // The first token is the end of the prompt's work.
    assert.equal(tokens, completion_tokens - 1);
    const [whole] = trace.spans;
    assert.equal(whole?.name, "http");
    const slack = 1e-3;
    for (const { name, begin, end } of trace.spans) {
      assert.ok(begin >= (whole?.begin ?? 0) - slack && end <= (whole?.end ?? 0) + slack && begin <= end, name);
    }
    assert.ok(trace.spans.length < 600, `${trace.spans.length} spans`);
    assert.deepEqual(await traceAt(head, "traced-1"), trace, "any node tells the same");
  });

  test("a request's id is in the logs of the node that it entered and of its head", async () => {
    await ask(worker, "logged-1");
    await eventually(async () => {
      for (const node of [worker, head]) assert.match(node.log, /"reqId":"logged-1"/);
    });
  });

  test("events tell what flows, at the node that is not the head too", async () => {
    const stop = new AbortController();
    const response = await fetch(`${worker.http}/cluster/events`, { signal: stop.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.ok(reader !== undefined);
    await ask(worker, "flowing-1");
    const generated = metric(await textOf(head, "/metrics"), "exo_native_generated_tokens_total");
    let text = "";
    let seen: z.infer<typeof activitySchema> | undefined;
    while (seen?.rings[0]?.tokens.generated !== generated) {
      text += (await reader.read()).value ?? assert.fail("the events ended");
      const last = text
        .split("\n\n")
        .filter((event) => event.startsWith("event: activity"))
        .at(-1);
      if (last !== undefined) seen = activitySchema.safeParse(tryParse(last.slice(last.indexOf("{")))).data ?? seen;
    }
    stop.abort();
    const [ring] = seen?.rings ?? [];
    assert.deepEqual(
      ring?.stages.map(({ stage }) => stage),
      [0, 1],
    );
    assert.ok(ring?.stages.every(({ busy_seconds }) => busy_seconds > 0));
    assert.equal(ring?.hops.length, 2);
  });

  test("nothing of what was asked is in anything that is told", async () => {
    await ask(worker, "secret-1");
    const stop = new AbortController();
    const events = await fetch(`${head.http}/cluster/events`, { signal: stop.signal });
    const first = await events.body?.pipeThrough(new TextDecoderStream()).getReader().read();
    const told = await Promise.all(
      [head, worker].flatMap((node) =>
        [
          "/metrics",
          "/cluster",
          "/cluster/traces",
          "/cluster/traces/secret-1",
          "/cluster/traces/secret-1?format=chrome",
        ].map((path) => textOf(node, path)),
      ),
    );
    stop.abort();
    const all = [...told, first?.value ?? "", head.log, worker.log].join("\n");
    assert.match(all, /secret-1/);
    assert.doesNotMatch(all, new RegExp(SECRET, "i"));
    assert.doesNotMatch(all, /once upon/i);
  });
});

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
