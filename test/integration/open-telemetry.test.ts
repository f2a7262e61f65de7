import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { packageRoot } from "../../src/core/package.js";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

const spanSchema = z.object({
  span: z.string(),
  spanId: z.string(),
  traceId: z.string(),
  parent: z.string().nullable(),
});

function spansIn(log: string) {
  const lines = log.split("\n").filter((line) => line.startsWith('{"span"'));
  return lines.map((line) => spanSchema.parse(JSON.parse(line)));
}

test("spans go to the tracer provider that was registered before the node started", async (context) => {
  const recorder = join(packageRoot(), "test/support/span-recorder.cjs");
  const node = await NodeProcess.start({
    name: "alone",
    args: [tinyModel(), "--threads", "1", "--ctx", "128"],
    before: ["env", `NODE_OPTIONS=--require ${recorder}`],
  });
  context.after(() => node.stop());
  await node.ready();
  const response = await fetch(`${node.http}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", traceparent: `00-${TRACE_ID}-${PARENT}-01` },
    body: JSON.stringify({ prompt: "Once", max_tokens: 3 }),
  });
  await response.text();
  await eventually(async () => assert.ok(spansIn(node.log).some(({ span }) => span === "exo_native.request")));
  const spans = spansIn(node.log);
  assert.ok(spans.every(({ traceId }) => traceId === TRACE_ID));
  const request = spans.find(({ span }) => span === "exo_native.request");
  assert.equal(request?.parent, PARENT);
  const http = spans.find(({ span }) => span === "exo_native.http");
  assert.equal(http?.parent, request?.spanId);
  const head = spans.find(({ span }) => span === "exo_native.head");
  assert.ok(spans.some(({ span, parent }) => span === "exo_native.prefill" && parent === head?.spanId));
});
