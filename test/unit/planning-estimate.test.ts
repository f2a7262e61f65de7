import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { infoOfShape, parseModelShape } from "../../src/model/model-shape.js";
import { type EstimateRequest, estimateModel } from "../../src/planning/estimate.js";
import { UNMEASURED_LINK } from "../../src/planning/ring/make-problem.js";
import { nodeOf } from "./planning-models.js";

const GIB = 2 ** 30;

/** Llama 3.1 8B, as its config.json has it. */
const LLAMA_8B = {
  model_type: "llama",
  hidden_size: 4096,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  intermediate_size: 14_336,
  vocab_size: 128_256,
  max_position_embeddings: 131_072,
  tie_word_embeddings: false,
  rope_theta: 500_000,
};

function estimate(memory: readonly number[], extra: Partial<EstimateRequest> = {}, shape: object = LLAMA_8B) {
  return estimateModel({
    model: "llama-8b",
    info: infoOfShape(parseModelShape(shape), "Q4_K_M"),
    nodes: memory.map((gibibytes, index) => nodeOf(`m${index}`, gibibytes * GIB)),
    needs: { contextSize: 8192, slots: 1, kvType: "f16", kvTypeV: "f16", ubatch: 512, flashAttention: true },
    siblings: [],
    link: UNMEASURED_LINK,
    wireType: "f32",
    ...extra,
  });
}

describe("a model described by its shape", () => {
  const parameters = (shape: object): number => infoOfShape(parseModelShape(shape), "Q4_K_M").parameterCount;

  test("has the parameters that its makers name", () => {
    assert.ok(Math.abs(parameters(LLAMA_8B) / 8.03e9 - 1) < 0.002);
    const qwen3moe = {
      model_type: "qwen3_moe",
      hidden_size: 2048,
      num_hidden_layers: 48,
      num_attention_heads: 32,
      num_key_value_heads: 4,
      head_dim: 128,
      intermediate_size: 6144,
      moe_intermediate_size: 768,
      num_experts: 128,
      num_experts_per_tok: 8,
      vocab_size: 151_936,
    };
    assert.ok(Math.abs(parameters(qwen3moe) / 30.5e9 - 1) < 0.005);
    const deepseek = {
      model_type: "deepseek_v3",
      hidden_size: 7168,
      num_hidden_layers: 61,
      num_attention_heads: 128,
      num_key_value_heads: 128,
      intermediate_size: 18_432,
      moe_intermediate_size: 2048,
      n_routed_experts: 256,
      n_shared_experts: 1,
      num_experts_per_tok: 8,
      first_k_dense_replace: 3,
      kv_lora_rank: 512,
      q_lora_rank: 1536,
      qk_nope_head_dim: 128,
      qk_rope_head_dim: 64,
      v_head_dim: 128,
      vocab_size: 129_280,
    };
    assert.ok(Math.abs(parameters(deepseek) / 671e9 - 1) < 0.005);
  });

  test("is read from the text part of a model with other modalities", () => {
    assert.equal(parameters({ model_type: "gemma3", text_config: LLAMA_8B }), parameters(LLAMA_8B));
  });

  test("that says too little, or a quantisation that is none, is refused", () => {
    assert.throws(() => parseModelShape({ hidden_size: 64 }), ExoError);
    assert.throws(() => parseModelShape("llama"), ExoError);
    assert.throws(() => infoOfShape(parseModelShape(LLAMA_8B), "Q9"), /Expected one of .* received "Q9"/);
  });
});

describe("estimate", () => {
  test("is the formula: parameters times bits, keys and values, buffers", () => {
    const { memory, cacheBytesPerToken, bitsPerWeight } = estimate([16]);
    assert.ok(Math.abs(memory.weights - (8.03e9 * 4.8944) / 8) < 0.01 * memory.weights);
    assert.equal(cacheBytesPerToken, 2 * 32 * 8 * 128 * 2);
    assert.equal(memory.kvCache, 8192 * cacheBytesPerToken);
    assert.ok(Math.abs(bitsPerWeight - 4.8944) < 0.001);
  });

  test("on one node that holds it: says so, and how much context there is room for", () => {
    const { fit, advice, largestContext, network } = estimate([4, 8]);
    assert.equal(fit, "one-node");
    assert.match(advice.join(" "), /It fits on m1 alone\. There is room for a context of \d+/);
    assert.equal(network, null);
    const exact = estimate([4, 8], { needs: { ...estimate([1]).needs, contextSize: largestContext } });
    assert.notEqual(exact.fit, "no");
    const more = estimate([4, 8], { needs: { ...exact.needs, contextSize: largestContext + 256 } });
    assert.equal(more.fit, "no");
  });

  test("cut among nodes: says so, and what the way between them takes", () => {
    const { fit, network, advice, plan } = estimate([4, 4], { link: { seconds: 0.001, bytesPerSecond: 1e6 } });
    assert.equal(fit, "split");
    assert.equal(plan?.stages.length, 2);
    assert.equal(network?.bytesPerHop, 4096 * 4);
    assert.equal(network.hops, 2);
    assert.ok(network.secondsPerToken > 2 * (0.001 + 0.0164) && network.secondsPerToken < 0.04);
    assert.match(advice.join(" "), /It fits, cut among m0, m1/);
  });

  test("too large: says what is missing and what would change that", () => {
    const needs = { ...estimate([1]).needs, contextSize: 65_536, slots: 2 };
    const { fit, advice, quantisations } = estimate([12], { needs });
    assert.equal(fit, "no");
    const text = advice.join(" ");
    assert.match(text, /It does not fit: it takes \d+\.\d GiB, and 12\.0 GiB are offered; [\d.]+ GiB are missing/);
    assert.match(text, /With --ctx \d+ it would fit/);
    assert.match(text, /Or add nodes that offer/);
    assert.ok(quantisations.every(({ fit: each }) => each === "no"));
  });

  test("names the best quantisation that fits, from the files there are, else from the usual ones", () => {
    const small = estimate([4]);
    assert.equal(small.fit, "no");
    const fitting = small.quantisations.find(({ fit }) => fit !== "no");
    assert.ok(fitting !== undefined && fitting.bytes < 3 * GIB);
    assert.match(
      small.advice.join(" "),
      new RegExp(`In ${fitting.quantisation} \\([\\d.]+ GiB of weights\\) it would fit`),
    );
    const siblings = [
      { quantisation: "IQ2_M", bytes: 2.7 * GIB },
      { quantisation: "Q8_0", bytes: 8 * GIB },
    ];
    assert.deepEqual(
      estimate([4], { siblings, needs: { ...small.needs, contextSize: 2048 } }).quantisations.map(
        ({ quantisation, fit }) => [quantisation, fit],
      ),
      [
        ["Q8_0", "no"],
        ["IQ2_M", "one-node"],
      ],
    );
  });

  test("enough memory in pieces too small for the ends of the model is told apart from too little", () => {
    const { fit, advice } = estimate(new Array<number>(60).fill(0.3));
    assert.equal(fit, "no");
    assert.match(advice[0] ?? "", /not in the pieces that it is in: its parts are larger/);
  });

  test("a model that cannot be cut says so", () => {
    const info = infoOfShape(parseModelShape(LLAMA_8B), "Q4_K_M");
    const allowed = info.cuts.allowed.map((_, layer) => layer === 0);
    const uncut = { ...info, cuts: { ...info.cuts, allowed, reason: "every layer uses values of the first" } };
    const { fit, advice } = estimate([5, 5], { info: uncut });
    assert.equal(fit, "no");
    assert.match(advice[0] ?? "", /pieces that it is in: every layer uses values of the first/);
  });
});
