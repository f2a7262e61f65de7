import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import type { EmbedRequest } from "../../src/core/inference.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import type { NodeService } from "../../src/transport/node-service.js";
import { BUILD, once, startNode } from "./transport-harness.js";

const NEVER = new AbortController().signal;

const REQUEST: EmbedRequest = {
  id: "embd-1",
  model: "demo",
  inputs: ["Grüße 🦊", [1, 15_043, 2]],
  normalize: true,
  dimensions: 3,
  truncate: true,
};

async function clientOf(context: TestContext, embed: NodeService["embed"]): Promise<ControlClient> {
  const { address } = await startNode(context, { service: { embed } });
  const client = new ControlClient({
    peer: address,
    credentials: plaintextCredentials(),
    caller: { ...BUILD, nodeId: "id-caller" },
  });
  context.after(() => client.close());
  return client;
}

describe("embeddings over the wire", () => {
  test("arrive bit by bit, in the order of the inputs", async (t) => {
    const asked: EmbedRequest[] = [];
    const embeddings = [
      { values: Float32Array.of(1 / 3, -0, Number.MIN_VALUE), promptTokens: 9 },
      { values: Float32Array.of(0.1, 3.4e38, -1e-38), promptTokens: 3 },
    ];
    const client = await clientOf(t, async (request) => {
      asked.push(request);
      return embeddings;
    });
    assert.deepEqual(await client.embed(REQUEST, NEVER), embeddings);
    assert.deepEqual(asked, [REQUEST]);
  });

  test("may be more together than one message may hold", async (t) => {
    const inputs = Array.from({ length: 300 }, (_, index) => String(index));
    const client = await clientOf(t, async () =>
      inputs.map((_, index) => ({ values: new Float32Array(16_384).fill(index), promptTokens: 1 })),
    );
    const embeddings = await client.embed({ ...REQUEST, inputs }, NEVER);
    assert.deepEqual(
      embeddings.map(({ values }) => values[16_383]),
      inputs.map(Number),
    );
  });

  test("fail as they failed there", async (t) => {
    const client = await clientOf(t, async () => {
      throw new ExoError("context_exceeded", "The text is too long.", { param: "input[1]" });
    });
    await assert.rejects(client.embed(REQUEST, NEVER), { code: "context_exceeded", param: "input[1]" });
  });

  test("are not wanted any more when the call is cancelled", async (t) => {
    const gone = new AbortController();
    const ended = once<void>("the end of the work");
    const client = await clientOf(t, async (_, signal) => {
      signal.addEventListener("abort", () => ended.call());
      gone.abort();
      await ended.promise;
      throw new ExoError("cancelled", "Nobody wants it.");
    });
    await assert.rejects(client.embed(REQUEST, gone.signal), { code: "cancelled" });
    await ended.promise;
  });

  test("are refused where they do not fit the inputs", async (t) => {
    const one = { values: Float32Array.of(1, 2), promptTokens: 1 };
    for (const answer of [
      [one],
      [one, { values: Float32Array.of(1), promptTokens: 1 }],
      [one, { ...one, values: new Float32Array() }],
    ]) {
      const client = await clientOf(t, async () => answer);
      await assert.rejects(client.embed(REQUEST, NEVER), { code: "peer_incompatible" });
    }
  });
});
