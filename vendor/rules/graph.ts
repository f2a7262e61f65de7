import type { Rule } from "./rule.js";

const SOURCE = "src/llama-graph.cpp";

/** Hidden states in place of the embedding, and what the layer loops call at their two ends. */
export const GRAPH_RULES: readonly Rule[] = [
  {
    name: "graph: declare the stage hooks",
    file: "src/llama-graph.h",
    find: "    void cb(ggml_tensor * cur, const char * name, int il) const;\n",
    replace:
      "    void cb(ggml_tensor * cur, const char * name, int il) const;\n\n" +
      "    // The hidden states a stage without embedding starts from, [n_embd_inp, n_tokens].\n" +
      "    ggml_tensor * build_stage_hidden() const;\n" +
      "    // What the first layer here reads: what was embedded, or the hidden states of the stage before. With n_stream\n" +
      "    // of them per row: [n_embd, n_stream, n_tokens].\n" +
      "    ggml_tensor * build_stage_input(ggml_tensor * embedded, int64_t n_stream = 0) const;\n" +
      "    // Some of the hidden states per row that came in: [n_embd, n_tokens] for one, else [n_embd, n, n_tokens].\n" +
      "    ggml_tensor * build_stage_stream(int64_t first, int64_t n) const;\n" +
      "    // True when this stage ends after its layers: `hidden` is its result and the graph is complete.\n" +
      "    bool build_stage_output(ggml_tensor * hidden, int64_t n_stream = 0) const;\n" +
      "    ggml_tensor * build_stage_rows() const;\n" +
      "    ggml_tensor * build_stage_selected(ggml_tensor * rows) const;\n" +
      "    void finish_stage() const;\n" +
      "    // Where hidden states after the final norm are wanted: no logits are computed.\n" +
      "    void finish_embeddings() const;\n    void check_embeddings() const;\n",
  },
  {
    name: "graph: hidden states instead of the embedding",
    file: SOURCE,
    find:
      "ggml_tensor * llm_graph_context::build_inp_embd(ggml_tensor * tok_embd) const {\n" +
      "    const int64_t n_embd_inp = hparams.n_embd_inp();\n    const int64_t n_embd     = hparams.n_embd;\n",
    replace:
      "ggml_tensor * llm_graph_context::build_inp_embd(ggml_tensor * tok_embd) const {\n" +
      "    const int64_t n_embd_inp = hparams.n_embd_inp();\n    const int64_t n_embd     = hparams.n_embd;\n\n" +
      "    if (!hparams.stage.input) {\n" +
      "        ggml_tensor * hidden = build_stage_hidden();\n" +
      "        return hidden->ne[0] == n_embd ? hidden : ggml_cont(ctx0, ggml_view_2d(ctx0, hidden, n_embd, n_tokens, hidden->nb[1], 0));\n" +
      "    }\n",
  },
  {
    name: "graph: rows are selected where the last layer is",
    file: SOURCE,
    find: "ggml_tensor * llm_graph_context::build_inp_out_ids() const {\n",
    replace:
      "ggml_tensor * llm_graph_context::build_inp_out_ids() const {\n" +
      "    if (hparams.stage.head_only() || hparams.stage.end < hparams.stage.n_layer) {\n" +
      "        return nullptr;\n    }\n",
  },
];
