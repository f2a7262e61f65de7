import type { Rule } from "./rule.js";

/** Faults of llama.cpp itself that would make a model answer wrongly, met while comparing architectures. */
export const GRAPH_FIX_RULES: readonly Rule[] = [
  {
    // Without it the logits of the first rows are returned for whichever rows were asked for.
    name: "cogvlm: logits of the rows that are wanted",
    file: "src/models/cogvlm.cpp",
    find: "    cur = inpL;\n\n    cur = build_norm(cur, model.output_norm",
    replace:
      "    cur = inpL;\n\n" +
      "    if (ggml_tensor * ids = build_inp_out_ids()) {\n        cur = ggml_get_rows(ctx0, cur, ids);\n    }\n\n" +
      "    cur = build_norm(cur, model.output_norm",
  },
  {
    // The offset of the first cell was multiplied by the number of sequences.
    name: "plamo2: state of several sequences",
    file: "src/models/plamo2.cpp",
    find: "kv_head * n_seqs * n_heads * head_dim * d_state * ggml_element_size(ssm_states_all)",
    replace: "kv_head * n_heads * head_dim * d_state * ggml_element_size(ssm_states_all)",
  },
  // These abort the process when hidden states come in, which they take for an image.
  ...["glm4", "glm4-moe"].map((model) => ({
    name: `${model}: hidden states are no image`,
    file: `src/models/${model}.cpp`,
    find: "    if (ubatch.embd && !use_mrope) {\n",
    replace: "    if (ubatch.embd && hparams.stage.input && !use_mrope) {\n",
  })),
];
