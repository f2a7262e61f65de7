import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { z } from "zod";
import { readGgufInfo } from "../../src/model/gguf-info.js";
import { assertSameAnswer, type Completion, complete } from "../support/completions.js";
import { eventually } from "../support/eventually.js";
import { sharedModel, tinyModel } from "../support/models.js";
import { NodeProcess, startRing } from "../support/node-process.js";

/** With f16 matrices the bits of a row do not depend on the rows beside it; with f32 they do (docs/performance.md). */
const model = sharedModel("stories260K-f16.gguf") ?? tinyModel({ matrices: "f16" });
const CONTEXT = 512;

const ringSchema = z.object({
  state: z.string(),
  reason: z.string().nullable(),
  busy_slots: z.int(),
  layer_count: z.int(),
  stages: z.array(
    z.object({
      node_name: z.string(),
      layer_begin: z.int(),
      layer_end: z.int(),
      has_output: z.boolean(),
      planned_weights: z.number(),
      memory: z.object({ weights: z.number(), kv_cache: z.number() }),
    }),
  ),
});
const nodeSchema = z.object({ name: z.string(), state: z.string(), reason: z.string().nullable() });
const clusterSchema = z.object({ nodes: z.array(nodeSchema), rings: z.array(ringSchema) });

async function cluster(node: NodeProcess): Promise<z.infer<typeof clusterSchema>> {
  return clusterSchema.parse(await (await fetch(`${node.http}/cluster`)).json());
}

const listedSchema = z.object({ status: z.object({ value: z.string() }) });

/** Whether a listed model is loaded; OpenAI's client does not know the field. */
function statusOf(listed: unknown): string {
  return listedSchema.parse(listed).status.value;
}

async function ringOf(node: NodeProcess): Promise<z.infer<typeof ringSchema>> {
  const [ring] = (await cluster(node)).rings;
  assert.ok(ring !== undefined, "a ring is listed");
  return ring;
}

function clientOf(node: NodeProcess): OpenAI {
  return new OpenAI({ baseURL: `${node.http}/v1`, apiKey: "none", maxRetries: 0 });
}

describe("a ring of two nodes", () => {
  let head: NodeProcess;
  let worker: NodeProcess;
  let name: string;

  before(async () => {
    const ring = await startRing(2, model, ["--ctx", String(CONTEXT), "--slots", "2"]);
    assert.ok(ring[0] !== undefined && ring[1] !== undefined);
    [head, worker] = [ring[0], ring[1]];
    name = (await clientOf(head).models.list()).data[0]?.id ?? "";
  });
  after(async () => {
    assert.equal(await head.stop(), 0);
    assert.equal(await worker.stop(), 0);
  });

  test("covers all layers without gap, each node with at most its share of the weights", async () => {
    const ring = await ringOf(head);
    let next = 0;
    for (const stage of ring.stages) {
      assert.equal(stage.layer_begin, next);
      next = stage.layer_end;
      assert.ok(stage.memory.weights > 0);
      assert.ok(
        stage.memory.weights <= stage.planned_weights * 1.05,
        `${stage.node_name} holds ${stage.memory.weights} bytes for a share of ${stage.planned_weights}`,
      );
    }
    assert.equal(next, ring.layer_count);
    assert.deepEqual(
      ring.stages.map((stage) => [stage.node_name, stage.has_output]),
      [
        ["head", true],
        ["worker-1", false],
      ],
    );
  });

  test("every node lists the model and both nodes", async () => {
    for (const node of [head, worker]) {
      const [loaded, ...others] = (await clientOf(node).models.list()).data;
      assert.deepEqual([loaded?.id, statusOf(loaded)], [name, "loaded"]);
      for (const other of others) assert.equal(statusOf(other), "unloaded", other.id);
      const { nodes } = await cluster(node);
      assert.deepEqual(nodes.map((one) => one.name).sort(), ["head", "worker-1"]);
      assert.ok(nodes.every((one) => one.state === "alive"));
    }
  });

  test("several requests at once end as each does alone", async () => {
    const ask = (prompt: string, seed: number) =>
      complete(head, { model: name, prompt, max_tokens: 40, temperature: 0.8, seed });
    const prompts = ["Once upon a time", "The dog ran", "Lily was", "There was a big red ball and"];
    const alone: Completion[] = [];
    for (const [seed, prompt] of prompts.entries()) alone.push(await ask(prompt, seed));
    const together = await Promise.all(prompts.map((prompt, seed) => ask(prompt, seed)));
    for (const [index, one] of alone.entries()) assertSameAnswer(together[index] ?? one, one, prompts[index] ?? "");
  });

  test("a client that hangs up frees its slot", async () => {
    const abort = new AbortController();
    const stream = await clientOf(worker).completions.create(
      { model: name, prompt: "Once", max_tokens: 400, stream: true, temperature: 1 },
      { signal: abort.signal },
    );
    for await (const _chunk of stream) break;
    abort.abort();
    await eventually(async () => assert.equal((await ringOf(head)).busy_slots, 0));
  });

  test("a prompt over the context is a 400 that names both numbers", async () => {
    const prompt = Array.from({ length: 600 }, () => 5);
    await assert.rejects(clientOf(worker).completions.create({ model: name, prompt }), (thrown: unknown) => {
      assert.ok(thrown instanceof OpenAI.BadRequestError);
      assert.match(thrown.message, /600/);
      assert.match(thrown.message, new RegExp(String(CONTEXT)));
      return true;
    });
  });

  test("a text that cannot fit is refused before it keeps others waiting", async () => {
    const post = (path: string, body: object) =>
      fetch(`${worker.http}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    for (const [path, body, code] of [
      ["/tokenize", { content: "a ".repeat(1_000_000) }, "invalid_argument"],
      ["/v1/completions", { prompt: "a ".repeat(1_000_000) }, "context_exceeded"],
      ["/v1/chat/completions", { messages: [{ role: "user", content: "a ".repeat(1_000_000) }] }, "context_exceeded"],
    ] as const) {
      const begun = performance.now();
      const response = await post(path, body);
      assert.equal(response.status, 400, path);
      const { error } = z.object({ error: z.object({ code: z.string() }) }).parse(await response.json());
      assert.match(error.code, new RegExp(code.replace("context_exceeded", "context_(length_)?exceeded")), path);
      assert.ok(performance.now() - begun < 5_000, path);
    }
  });

  test("a second turn that begins with the first finds it in the cache", async () => {
    const prompt = Array.from({ length: 100 }, (_, index) => 260 + (index % 90));
    const ask = async (tokens: number[]) => {
      const { usage } = await clientOf(head).completions.create({ model: name, prompt: tokens, max_tokens: 4 });
      return usage?.prompt_tokens_details?.cached_tokens ?? 0;
    };
    await ask(prompt);
    assert.ok((await ask([...prompt, 300, 301])) >= 100);
  });
});

describe("a ring that loses a node", () => {
  test("ends its streams honestly, answers 503 meanwhile, and forms again when the node is back", async () => {
    const worker = await NodeProcess.start({ name: "worker", args: ["--threads", "1"] });
    const head = await NodeProcess.start({
      name: "head",
      args: [
        ...[model, "--threads", "1", "--min-nodes", "2", "--ctx", String(CONTEXT), "--peer", worker.grpc],
        ...["--heal-timeout", "1"],
      ],
    });
    try {
      await head.ready();
      const name = (await clientOf(head).models.list()).data[0]?.id ?? "";
      const response = await fetch(`${head.http}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: name, prompt: "Once", max_tokens: 480, stream: true, ignore_eos: true }),
      });
      const reader = response.body?.getReader();
      assert.ok(reader !== undefined);
      await reader.read();
      await worker.kill();
      let rest = "";
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        rest += Buffer.from(piece.value).toString();
      }
      assert.match(rest, /data: \[DONE\]\s*$/);
      assert.match(
        rest,
        /"error":\{"message":"No ring of .* came back within 1 s[^"]+\."|"finish_reason":"(length|stop)"/,
      );

      await eventually(async () => assert.equal((await fetch(`${head.http}/readyz`)).status, 503));
      assert.equal(head.running, true);
      const address = worker.grpc.split(":").at(-1);
      const back = await NodeProcess.start({
        name: "worker-again",
        args: ["--threads", "1", "--grpc", `127.0.0.1:${address}`],
      });
      try {
        await head.ready();
        const answer = await clientOf(head).completions.create({ model: name, prompt: "Once", max_tokens: 8 });
        assert.ok((answer.choices[0]?.text.length ?? 0) > 0);
      } finally {
        await back.stop();
      }
    } finally {
      await head.stop();
      await worker.kill();
    }
  });
});

describe("a node that was asleep", () => {
  test("is taken up again by the head that it introduced itself to", async () => {
    const head = await NodeProcess.start({ name: "head", args: [model, "--threads", "1", "--min-nodes", "2"] });
    const worker = await NodeProcess.start({ name: "worker", args: ["--threads", "1", "--peer", head.grpc] });
    try {
      await head.ready();
      worker.pause();
      await eventually(async () => {
        const sleeper = (await cluster(head)).nodes.find((node) => node.name === "worker");
        assert.equal(sleeper?.state, "gone");
      }, 30_000);
      worker.resume();
      await head.ready();
      await eventually(async () => assert.equal((await fetch(`${worker.http}/readyz`)).status, 200));
    } finally {
      worker.resume();
      await worker.stop();
      await head.stop();
    }
  });
});

describe("a node that cannot do what it was asked", () => {
  test("a model that does not fit what is offered ends it with exit code 1 and both numbers", async () => {
    const node = await NodeProcess.start({ name: "small", args: [model, "--memory", "100KB"] });
    assert.equal(await node.ended(), 1);
    assert.match(node.log, /does not fit: it needs [\d.]+ MiB .* the nodes offer 97\.7 KiB/);
  });

  test("layers for a node that is not there yet are waited for", async () => {
    const { layerCount: count } = await readGgufInfo(model);
    const node = await NodeProcess.start({ name: "a", args: [model, "--layers", `0-1@a,1-${count}@b`] });
    try {
      await eventually(async () => assert.match((await ringOf(node)).reason ?? "", /names: b/));
      const other = await NodeProcess.start({ name: "b", args: ["--peer", node.grpc] });
      try {
        await node.ready();
        assert.deepEqual(
          (await ringOf(node)).stages.map((stage) => [stage.node_name, stage.layer_begin, stage.layer_end]),
          [
            ["a", 0, 1],
            ["b", 1, count],
          ],
        );
      } finally {
        await other.stop();
      }
    } finally {
      await node.stop();
    }
  });

  test("an unreachable peer is listed with the reason, and the node waits", async () => {
    const node = await NodeProcess.start({ name: "alone", args: [model, "--min-nodes", "2", "--peer", "127.0.0.1:9"] });
    try {
      await eventually(async () => {
        const stranger = (await cluster(node)).nodes.find((other) => other.name !== "alone");
        assert.match(stranger?.reason ?? "", /127\.0\.0\.1:9/);
        assert.match((await ringOf(node)).reason ?? "", /1 of 2/);
      });
      assert.equal((await fetch(`${node.http}/readyz`)).status, 503);
    } finally {
      await node.stop();
    }
  });

  test("a peer that speaks another protocol is listed with the reason", async () => {
    const other = await NodeProcess.start({ name: "other" });
    const node = await NodeProcess.start({ name: "node", args: ["--peer", new URL(other.http).host] });
    try {
      await eventually(async () => {
        const stranger = (await cluster(node)).nodes.find((one) => one.name !== "node");
        assert.ok((stranger?.reason ?? "").length > 20, stranger?.reason ?? "no reason");
      });
    } finally {
      await node.stop();
      await other.stop();
    }
  });
});
