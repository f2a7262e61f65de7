import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { GgufTensor } from "../../src/model/gguf-header.js";
import { layerKinds } from "../../src/runtime/probe/layer-kinds.js";
import { planProbe } from "../../src/runtime/probe/probe-plan.js";
import { probeValues } from "../../src/runtime/probe/probe-values.js";

function tensor(name: string, type = "Q4_0", rowElements = 64, rows = 64, bytes = 100): GgufTensor {
  return { name, type, rowElements, rows, elements: rowElements * rows, offset: 0, bytes };
}

/** Layers of one matrix and one norm. */
function layers(types: readonly string[]): GgufTensor[] {
  return types.flatMap((type, layer) => [
    tensor(`blk.${layer}.attn_norm.weight`, "F32", 64, 1, 10),
    tensor(`blk.${layer}.ffn_down.weight`, type, 64, 64, type === "Q6_K" ? 150 : 100),
  ]);
}

describe("the kinds of layers", () => {
  test("are told by the types of their tensors", () => {
    const kinds = layerKinds([tensor("token_embd.weight"), ...layers(["Q6_K", "Q4_K", "Q4_K", "Q6_K"])], 4);
    assert.deepEqual(kinds, { kindOfLayer: [0, 1, 1, 0], bytes: [160, 110] });
  });

  test("are told by shapes and by names", () => {
    const shapes = [tensor("blk.0.a.weight", "F16", 64, 64), tensor("blk.1.a.weight", "F16", 64, 32)];
    assert.deepEqual(layerKinds(shapes, 2).kindOfLayer, [0, 1]);
    const names = [tensor("blk.0.a.weight"), tensor("blk.1.b.weight")];
    assert.deepEqual(layerKinds(names, 2).kindOfLayer, [0, 1]);
  });

  test("do not depend on the order of tensors in the file, nor on layers that only predict further tokens", () => {
    const reversed = layers(["Q4_K", "Q4_K", "Q6_K"]).reverse();
    assert.deepEqual(layerKinds(reversed, 2).kindOfLayer, [0, 0]);
  });
});

describe("values that a tensor has for the sake of speed", () => {
  const layers01 = new Set([1]);

  test("are ones in norms, so that layers see more than zeros", () => {
    const values = probeValues(tensor("blk.1.ffn_norm.weight", "F32", 3, 1), layers01);
    assert.deepEqual([...new Float32Array(values?.buffer ?? new ArrayBuffer(0), values?.byteOffset, 3)], [1, 1, 1]);
    assert.notEqual(probeValues(tensor("output_norm.weight", "F32", 3, 1), layers01), null);
  });

  test("are any but zero in what chooses experts", () => {
    for (const [type, bytes] of [
      ["F32", 4],
      ["F16", 2],
      ["BF16", 2],
    ] as const) {
      const values = probeValues(tensor("blk.1.ffn_gate_inp.weight", type, 8, 4), layers01);
      assert.equal(values?.byteLength, 32 * bytes);
      assert.ok(new Set(values).size > 20);
    }
    const floats = new Float32Array(
      new Uint8Array(probeValues(tensor("blk.1.ffn_gate_inp.weight", "F32", 64, 64), layers01) ?? []).buffer,
    );
    assert.ok(floats.every((value) => Math.abs(value) >= 0.25 && Math.abs(value) < 0.5));
    assert.ok(floats.some((value) => value > 0) && floats.some((value) => value < 0));
  });

  test("are zeros everywhere else, and in layers that are not computed", () => {
    assert.equal(probeValues(tensor("blk.1.ffn_down.weight", "Q4_0"), layers01), null);
    assert.equal(probeValues(tensor("blk.0.ffn_norm.weight", "F32", 3, 1), layers01), null);
    assert.equal(probeValues(tensor("blk.1.ffn_gate_inp.weight", "Q8_0"), layers01), null);
  });
});

describe("what is loaded to measure a model", () => {
  const always = (): boolean => true;

  test("of each kind one layer, not the first where there is another", () => {
    const { kinds } = planProbe({ kindOfLayer: [0, 1, 1, 0, 2], bytes: [10, 10, 10] }, 20, always);
    assert.deepEqual(kinds, [{ layer: 3 }, { layer: 1 }, { layer: 4 }]);
  });

  test("neighbours from the middle, as many as no cache holds", () => {
    const { window } = planProbe({ kindOfLayer: new Array<number>(20).fill(0), bytes: [10] }, 35, always);
    assert.deepEqual(window, { begin: 10, end: 14 });
  });

  test("all layers but the first where they are few", () => {
    const { window } = planProbe({ kindOfLayer: [0, 0, 0, 0], bytes: [10] }, 1000, always);
    assert.deepEqual(window, { begin: 1, end: 4 });
  });

  test("no neighbours where one layer is enough, or where there is no memory for two", () => {
    const kinds = { kindOfLayer: [0, 0, 0, 0], bytes: [10] };
    assert.equal(planProbe(kinds, 10, always).window, null);
    assert.equal(planProbe(kinds, 1000, (bytes) => bytes < 20).window, null);
    assert.equal(planProbe({ kindOfLayer: [0], bytes: [10] }, 1000, always).window, null);
  });

  test("where every layer is another kind only the commonest, and the others are taken from the likest", () => {
    const bytes = Array.from({ length: 9 }, (_, kind) => 10 * (kind + 1));
    const kindOfLayer = [...bytes.map((_, kind) => kind), 0, 0, 1, 1, 2, 2, 3, 3, 8, 8, 5, 5];
    const { kinds } = planProbe({ kindOfLayer, bytes }, 10, always);
    assert.equal(kinds.filter((kind) => "layer" in kind).length, 6);
    assert.deepEqual(kinds[4], { like: 3 });
    assert.deepEqual(kinds[7], { like: 8 });
  });
});
