import { layerLoop } from "./layer-loop.js";
import type { Rule } from "./rule.js";

/** Hyper-connections: several residual streams, carried as one tensor `[n_embd, hc, n_tokens]`. */
function hyperConnections(model: string, hidden: string, body = ""): Rule {
  return layerLoop({
    model,
    take: `${hidden} = build_stage_input(${hidden}, hc);`,
    ends: `build_stage_output(${hidden}, hc)`,
    body,
  });
}

const DEEPSEEK4: readonly Rule[] = [
  hyperConnections("deepseek4", "inpL"),
  {
    name: "deepseek4: hidden states are no image",
    file: "src/models/deepseek4.cpp",
    find: "        const bool is_media = ubatch.embd != nullptr;\n",
    replace: "        const bool is_media = ubatch.embd != nullptr && hparams.stage.input;\n",
  },
  {
    name: "deepseek4: output head on the rows there are",
    file: "src/models/deepseek4.cpp",
    find: "    ggml_tensor * flat = ggml_reshape_2d(ctx0, inpL, n_embd*hc, n_tokens);\n    ggml_tensor * flat_out = inp_out_ids",
    replace:
      "    ggml_tensor * flat = ggml_reshape_2d(ctx0, inpL, n_embd*hc, inpL->ne[2]);\n    ggml_tensor * flat_out = inp_out_ids",
  },
];

const QWEN4EXP: readonly Rule[] = [
  hyperConnections("qwen4exp", "res_hc", " *res->t_layer_inp"),
  {
    name: "qwen4exp: n-gram embedding only where its layer is",
    file: "src/models/qwen4exp.cpp",
    find: "    if (hparams.ple_n_heads > 0) {\n        ple_emb = build_inp_ple(mctx_hyb);\n",
    replace:
      "    if (hparams.ple_n_heads > 0 && !exo_stage_is_absent(model.per_layer_tok_embd)) {\n" +
      "        ple_emb = build_inp_ple(mctx_hyb);\n",
  },
  {
    name: "qwen4exp: include stage memory",
    file: "src/models/qwen4exp.cpp",
    find: '#include "models.h"\n',
    replace: '#include "models.h"\n\n#include "exo-stage-memory.h"\n',
  },
];

/** The residual stream and its banks, one for every block of layers begun. */
const KIMI_K3: readonly Rule[] = [
  layerLoop({
    model: "kimi-k3",
    take:
      "if (!hparams.stage.input) {\n" +
      "        const int64_t n_bank = hparams.n_embd_inp()/n_embd - 1;\n" +
      "        inpL       = build_stage_stream(0, 1);\n" +
      "        resi_stack = n_bank == 0 ? nullptr\n" +
      "            : ggml_reshape_3d(ctx0, build_stage_stream(1, n_bank), n_embd, n_bank, inpL->ne[1]);\n" +
      "    }",
    ends:
      "!hparams.stage.output && (resi_stack\n" +
      "            ? build_stage_output(ggml_concat(ctx0, ggml_reshape_3d(ctx0, inpL, n_embd, 1, n_tokens), resi_stack, 1), 1)\n" +
      "            : build_stage_output(inpL))",
  }),
  {
    name: "kimi-k3: final mix of the rows there are",
    file: "src/models/kimi-k3.cpp",
    find: "        cur = res_mix(cur, model.output_res_score, n_tokens, -1);\n",
    replace: "        cur = res_mix(cur, model.output_res_score, cur->ne[1], -1);\n",
  },
];

/** The embedding, added again in every layer, travels beside the hidden state; after the last layer nothing reads it. */
const TALKIE: readonly Rule[] = [
  layerLoop({
    model: "talkie",
    take:
      "if (!hparams.stage.input) {\n" +
      "        inpL      = build_stage_stream(0, 1);\n" +
      "        embd_skip = hparams.stage.head_only() ? nullptr : build_stage_stream(1, 1);\n" +
      "    }",
    ends: "build_stage_output(hparams.stage.end < n_layer ? ggml_concat(ctx0, inpL, embd_skip, 0) : inpL)",
  }),
];

export const SPECIAL_LOOP_RULES: readonly Rule[] = [
  layerLoop({ model: "bailingmoe3", body: " *res->t_layer_inp" }),
  layerLoop({ model: "lfm2", take: "cur = build_stage_input(cur);", ends: "build_stage_output(cur)" }),
  hyperConnections("hy-v4", "inpL"),
  ...DEEPSEEK4,
  ...QWEN4EXP,
  ...KIMI_K3,
  ...TALKIE,
];
