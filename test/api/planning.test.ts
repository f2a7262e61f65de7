import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Planner } from "../../src/cluster/planner.js";
import type { UnfitNode } from "../../src/cluster/unfit-nodes.js";
import { ExoError } from "../../src/core/errors.js";
import { bothWays, speedOf, speedsOf } from "../support/measured-cluster.js";
import { MIB, modelOf, nodeOf } from "../unit/planning-models.js";
import { errorOf, withApi } from "./api-under-test.js";

const LAYERS = 10;
const info = modelOf(new Array<number>(LAYERS).fill(10 * MIB));

function planner(
  measured: boolean,
  attic = { bytes: 60 * MIB, milliseconds: 2 },
  unfit: readonly UnfitNode[] = [],
): Planner {
  const nodes = [nodeOf("id-a", 150 * MIB, "desk"), nodeOf("id-b", attic.bytes, "attic")];
  const speeds = speedsOf(
    { "id-a": speedOf(LAYERS, 1), "id-b": speedOf(LAYERS, attic.milliseconds) },
    bothWays("id-a", "id-b", 0.5),
  );
  return new Planner({
    header: async (spec) => {
      if (spec === "small") return { id: "small", spec, info: modelOf([20 * MIB]) };
      if (spec !== "tiny") throw new ExoError("model_not_found", `There is no model "${spec}".`);
      return { id: "tiny", spec, info };
    },
    nodes: () =>
      nodes.map((node) => ({
        ...node,
        stages: [],
        devices: node.devices.map((device) => ({ ...device, description: "" })),
      })),
    unfit: () => unfit,
    speeds: async () => (measured ? speeds : null),
    ring: {
      slots: 2,
      batchSize: 64,
      microBatchSize: 64,
      kvTypeK: "f16",
      kvTypeV: "f16",
      flashAttention: "auto",
      wireType: "f32",
    },
    contextSize: 256,
    strategy: "latency",
    minNodes: 1,
    draftModelFor: () => null,
    layers: null,
  });
}

const parsed = (text: string) => JSON.parse(text);

describe("POST /cluster/plan", () => {
  test("leaves out nodes that could not load their stage, and says until when", async () => {
    const attic = { bytes: 60 * MIB, milliseconds: 2 };
    const left: UnfitNode = {
      nodeId: "id-b",
      name: "attic",
      reason: "it could not load its stage: no room",
      until: new Date(2026, 0, 2, 9, 5).getTime(),
    };
    const why = "it is left out until 09:05, because it could not load its stage: no room";
    await withApi(
      async ({ post }) => {
        const plan = parsed(await (await post("/cluster/plan", { model: "tiny" })).text());
        assert.deepEqual(
          plan.stages.map((stage: { node_name: string }) => stage.node_name),
          ["desk"],
        );
        assert.deepEqual(plan.unused, [{ node_id: "id-b", node_name: "attic", reason: why }]);
        assert.equal(plan.reasons.at(-1), `attic is not used: ${why}.`);
        const byHand = await post("/cluster/plan", { model: "tiny", layers: "0-5@desk,5-10@attic" });
        const { message, param } = await errorOf(byHand);
        assert.match(message, /no node "attic".* attic is not used: it is left out until 09:05/);
        assert.equal(param, "layers");
      },
      { planner: planner(false, attic, [left]) },
    );
  });

  test("tells of copies where loading makes them", async () => {
    await withApi(
      async ({ post }) => {
        const response = await post("/cluster/plan", { model: "tiny", strategy: "throughput", slots: 4 });
        const plan = parsed(await response.text());
        assert.match(plan.reasons[0], /placed 2 times, because .* Each copy is whole: on (desk, attic|attic, desk)\./);
        assert.equal(plan.stages.length, 1);
        const latency = parsed(await (await post("/cluster/plan", { model: "tiny" })).text());
        assert.doesNotMatch(latency.reasons.join(), /cop/);
      },
      { planner: planner(true, { bytes: 150 * MIB, milliseconds: 1 }) },
    );
  });

  test("tells stages, predictions and reasons", async () => {
    await withApi(
      async ({ post }) => {
        const response = await post("/cluster/plan", { model: "tiny" });
        assert.equal(response.status, 200);
        const plan = parsed(await response.text());
        assert.equal(plan.strategy, "latency");
        assert.equal(plan.head, "id-a");
        assert.equal(plan.stages[0].node_name, "desk");
        assert.deepEqual([plan.stages[0].layer_begin, plan.stages.at(-1).layer_end], [0, LAYERS]);
        assert.ok(plan.predicted.decode_tokens_per_second > 0 && plan.predicted.ttft_seconds > 0);
        assert.ok(plan.stages[0].predicted.compute_seconds > 0);
        assert.ok(plan.reasons.length > 2);
        assert.deepEqual(
          plan.unused.map((node: { node_name: string }) => node.node_name),
          ["attic"],
        );
      },
      { planner: planner(true) },
    );
  });

  test("takes what is asked for instead of the node's own settings", async () => {
    await withApi(
      async ({ post }) => {
        const ask = async (more: object) =>
          parsed(await (await post("/cluster/plan", { model: "tiny", ...more })).text());
        const slots = await ask({ slots: 1, context_size: 512, strategy: "throughput" });
        assert.deepEqual([slots.slots, slots.context_size, slots.strategy], [1, 512, "throughput"]);
        assert.equal((await ask({ min_nodes: 2 })).stages.length, 2);
        assert.equal((await ask({ head: "attic", min_nodes: 2 })).head, "id-b");
        const packed = await ask({ kv: "q8_0" });
        assert.ok(packed.stages[0].memory.kv_cache < slots.stages[0].memory.kv_cache, "a smaller KV cache");
        const byHand = await ask({ layers: "0-8@desk,8-10@attic" });
        assert.deepEqual(
          byHand.stages.map((stage: { layer_end: number }) => stage.layer_end),
          [8, 10],
        );
      },
      { planner: planner(true) },
    );
  });

  test("leaves room on the head for the model that drafts, and says so", async () => {
    await withApi(
      async ({ post }) => {
        const ask = async (more: object) => post("/cluster/plan", { model: "tiny", ...more });
        const alone = parsed(await (await ask({})).text());
        assert.equal(alone.stages.length, 1);
        const drafting = parsed(await (await ask({ draft_model: "small" })).text());
        assert.ok(drafting.stages.length > 1, "both do not fit on one node");
        assert.match(drafting.reasons.join(" "), /The head holds the draft model small besides: [\d.]+ MiB\./);
        assert.ok(drafting.reasons.indexOf(drafting.reasons.find((one: string) => one.includes("draft model"))) > 0);
        const missing = await ask({ draft_model: "none" });
        assert.deepEqual([missing.status, (await errorOf(missing)).code], [404, "model_not_found"]);
      },
      { planner: planner(true) },
    );
  });

  test("predicts nothing before anything is measured", async () => {
    await withApi(
      async ({ post }) => {
        const plan = parsed(await (await post("/cluster/plan", { model: "tiny" })).text());
        assert.equal(plan.predicted, null);
        assert.equal(plan.stages[0].predicted, null);
        assert.equal(plan.strategy, "memory-weighted");
      },
      { planner: planner(false) },
    );
  });

  test("refuses what cannot be meant, and says what does not fit", async () => {
    await withApi(
      async ({ post }) => {
        const refusal = async (body: unknown) => errorOf(await post("/cluster/plan", body));
        assert.match((await refusal({})).message, /Expected a string for model/);
        assert.match((await refusal({ model: "tiny", strategy: "best" })).message, /"latency", "throughput"/);
        assert.match((await refusal({ model: "tiny", layers: "all@desk" })).message, /for layers but received/);
        assert.match((await refusal({ model: "tiny", head: "cellar" })).message, /"cellar" is not among the nodes/);
        assert.equal((await refusal({ model: "large" })).code, "model_not_found");
        const tooLarge = await post("/cluster/plan", { model: "tiny", context_size: 1_000_000 });
        assert.equal(tooLarge.status, 507);
      },
      { planner: planner(true) },
    );
  });
});

describe("POST /cluster/estimate", () => {
  test("for the nodes that are here", async () => {
    await withApi(
      async ({ post }) => {
        const answer = parsed(await (await post("/cluster/estimate", { model: "tiny" })).text());
        assert.equal(answer.fit, "one-node");
        assert.equal(answer.memory.weights, 130 * MIB);
        assert.deepEqual(
          answer.nodes.map((node: { holds_all: boolean }) => node.holds_all),
          [true, false],
        );
        assert.ok(answer.advice.length > 0);
      },
      { planner: planner(false) },
    );
  });

  test("for other machines, and for a shape alone", async () => {
    const shape = {
      hidden_size: 2048,
      num_hidden_layers: 16,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      intermediate_size: 8192,
      vocab_size: 128_256,
      tie_word_embeddings: true,
    };
    await withApi(
      async ({ post }) => {
        const ask = async (more: object) => parsed(await (await post("/cluster/estimate", { shape, ...more })).text());
        assert.equal((await ask({ memory: ["2GiB"] })).fit, "one-node");
        const split = await ask({ memory: [600 * MIB, "600MiB", "600MiB"], context_size: 2048, slots: 1 });
        assert.equal(split.fit, "split");
        assert.ok(split.network.seconds_per_token > 0);
        const small = await ask({ memory: ["300MiB"], quantisation: "Q8_0" });
        assert.equal(small.fit, "no");
        assert.match(small.advice[0], /It does not fit/);
      },
      { planner: planner(false) },
    );
  });

  test("refuses what cannot be meant", async () => {
    await withApi(
      async ({ post }) => {
        const refusal = async (body: unknown) => (await errorOf(await post("/cluster/estimate", body))).message;
        assert.match(await refusal({}), /Expected the name of a model, or its shape/);
        assert.match(await refusal({ shape: { hidden_size: 1 } }), /config\.json/);
        assert.match(await refusal({ model: "tiny", memory: ["much"] }), /memory\[0\]/);
        assert.match(await refusal({ model: "tiny", memory: [] }), /memory/);
        assert.match(await refusal({ model: "tiny", kv: "f8" }), /kv/);
      },
      { planner: planner(false) },
    );
  });
});
