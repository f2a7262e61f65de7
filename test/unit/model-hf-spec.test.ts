import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { matchingChoices, partsOf, quantChoices, quantOf } from "../../src/model/hub/choose-quant.js";
import { hubSettings } from "../../src/model/hub/hub-settings.js";
import { fileNameOf, formatModelSpec, modelIdOf, parseModelSpec } from "../../src/model/spec.js";

describe("hf: specs", () => {
  test("a repository, with quantisation and revision", () => {
    assert.deepEqual(parseModelSpec("hf:org/Some-Model-GGUF:q4_k_m"), {
      kind: "hf",
      repo: "org/Some-Model-GGUF",
      revision: null,
      file: null,
      quant: "Q4_K_M",
    });
    assert.equal(formatModelSpec(parseModelSpec("hf:org/repo@v1.0:q8_0")), "hf:org/repo@v1.0:Q8_0");
    assert.equal(modelIdOf(parseModelSpec("hf:org/Some-Model-GGUF:q4_k_m")), "Some-Model-Q4_K_M");
    assert.equal(modelIdOf(parseModelSpec("hf:org/Some-Model-GGUF")), "Some-Model");
  });

  test("a file, with revision", () => {
    const text = "hf:org/repo/Q4/big-00001-of-00003.gguf@refs/pr/1";
    const spec = parseModelSpec(text);
    assert.equal(formatModelSpec(spec), text);
    assert.equal(fileNameOf(spec), "big-00001-of-00003.gguf");
    assert.equal(modelIdOf(spec), "big");
  });

  test("what is none", () => {
    for (const text of [
      "hf:",
      "hf:org",
      "hf:org/",
      "hf:/repo",
      "hf:org/repo/",
      "hf:org/repo/file.bin",
      "hf:org/repo/../../x.gguf",
      "hf:org/../x.gguf",
      "hf:org/repo//x.gguf",
      "hf:org/repo/a b.gguf",
      "hf:org/repo/x.gguf:Q4_0",
      "hf:org/repo@../..",
      "hf:org/repo@",
      "hf:org/repo:",
      "hf:org/repo:Q4 0",
      "hf:org/repo?x=1",
    ]) {
      assert.throws(() => parseModelSpec(text), { code: "invalid_argument" }, text);
    }
  });
});

describe("the quantisation in a file's name", () => {
  const names: readonly [file: string, quant: string][] = [
    ["Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "Q4_K_M"],
    ["TinyLlama.q8_0.gguf", "Q8_0"],
    ["model-IQ2_XXS.gguf", "IQ2_XXS"],
    ["UD-Q4_K_XL/Qwen3-235B-UD-Q4_K_XL-00001-of-00003.gguf", "UD-Q4_K_XL"],
    ["gpt-oss-20b-mxfp4.gguf", "MXFP4"],
    ["gemma-3-4b-it-f16.gguf", "F16"],
    ["model-fp16.gguf", "F16"],
    ["Q4_K_M.gguf", "Q4_K_M"],
    ["Qwen2.5-0.5B-Instruct.gguf", ""],
    ["model-BF16-00001-of-00002.gguf", "BF16"],
  ];
  for (const [file, quant] of names) test(`${file} → ${quant || "none"}`, () => assert.equal(quantOf(file), quant));
});

describe("the choice of a repository's files", () => {
  const files = [
    "README.md",
    "m-Q8_0.gguf",
    "m-Q4_K_M.gguf",
    "mmproj-model-f16.gguf",
    "m.imatrix",
    "imatrix_unsloth.gguf",
    "big/m-BF16-00002-of-00002.gguf",
    "big/m-BF16-00001-of-00002.gguf",
    "half/m-F32-00001-of-00002.gguf",
  ];

  test("whole models only, those in parts in order, files beside the model left out", () => {
    assert.deepEqual(quantChoices(files), [
      { quant: "Q4_K_M", files: ["m-Q4_K_M.gguf"] },
      { quant: "Q8_0", files: ["m-Q8_0.gguf"] },
      { quant: "BF16", files: ["big/m-BF16-00001-of-00002.gguf", "big/m-BF16-00002-of-00002.gguf"] },
    ]);
  });

  test("by wish in any case, by preference without one", () => {
    const choices = quantChoices(files);
    const quant = (wish: string | null): readonly string[] => matchingChoices(choices, wish).map((one) => one.quant);
    assert.deepEqual(quant("bf16"), ["BF16"]);
    assert.deepEqual(quant(null), ["Q4_K_M"]);
    assert.deepEqual(quant("Q4"), []);
    assert.deepEqual(matchingChoices([], null), []);
  });

  test("two models of one quantisation are both left", () => {
    const two = quantChoices(["a-Q4_0.gguf", "b-Q4_0.gguf"]);
    assert.equal(matchingChoices(two, null).length, 2);
    assert.equal(matchingChoices(two, "q4_0").length, 2);
  });

  test("the parts of a model", () => {
    assert.deepEqual(partsOf("x/m-00002-of-00002.gguf"), ["x/m-00001-of-00002.gguf", "x/m-00002-of-00002.gguf"]);
    assert.deepEqual(partsOf("m.gguf"), ["m.gguf"]);
  });
});

describe("how the hub is reached", () => {
  test("as the environment says", () => {
    assert.deepEqual(hubSettings({}, "/nowhere"), { endpoint: "https://huggingface.co", token: null, offline: false });
    assert.deepEqual(
      hubSettings({ HF_ENDPOINT: "http://mirror.lan/hf/", HF_TOKEN: " hf_x\n", HF_HUB_OFFLINE: "1" }, "/nowhere"),
      {
        endpoint: "http://mirror.lan/hf",
        token: "hf_x",
        offline: true,
      },
    );
    assert.throws(() => hubSettings({ HF_ENDPOINT: "mirror" }, "/nowhere"), {
      code: "invalid_argument",
      message: /HF_ENDPOINT/,
    });
  });

  test("with the token of a log-in", () => {
    const folder = mkdtempSync(join(tmpdir(), "exo-token-"));
    writeFileSync(join(folder, "token"), "hf_file\n");
    assert.equal(hubSettings({ HF_HOME: folder }, "/nowhere").token, "hf_file");
    assert.equal(hubSettings({ HF_TOKEN_PATH: join(folder, "token") }, "/nowhere").token, "hf_file");
    assert.equal(hubSettings({ HF_HOME: folder, HF_TOKEN: "hf_env" }, "/nowhere").token, "hf_env");
    rmSync(folder, { recursive: true });
  });
});
