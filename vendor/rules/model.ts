import type { Rule } from "./rule.js";

const MODEL = "src/llama-model.cpp";

/** Stage keys, device choice counted from the stage's first layer, sizes of the stage, and where its graph ends. */
export const MODEL_RULES: readonly Rule[] = [
  {
    name: "model: read the stage",
    file: MODEL,
    find: "    hparams.rope_type = llama_model_rope_type(this);\n}\n",
    replace:
      "    hparams.rope_type = llama_model_rope_type(this);\n\n" +
      "    uint32_t n_block = 0;\n    ml.get_key(LLM_KV_BLOCK_COUNT, n_block);\n" +
      "    exo_stage_load(hparams, arch, n_block, params.kv_overrides);\n}\n",
  },
  {
    name: "model: hold the tensors of other stages",
    file: MODEL,
    find: "    buft_list_t cpu_buft_list;\n    std::map<ggml_backend_dev_t, buft_list_t> gpu_buft_list;\n",
    replace:
      "    ggml_context_ptr stage_absent;\n\n" +
      "    buft_list_t cpu_buft_list;\n    std::map<ggml_backend_dev_t, buft_list_t> gpu_buft_list;\n",
  },
  {
    name: "model: give the loader the stage",
    file: MODEL,
    find: "    this->ml = &ml; // to be used by create_tensor() and load_arch_tensors()\n",
    replace:
      "    this->ml = &ml; // to be used by create_tensor() and load_arch_tensors()\n" +
      "    ml.stage.stage = hparams.stage;\n",
  },
  {
    name: "model: offload counted over the stage's layers",
    file: MODEL,
    find:
      "    const int i_gpu_start = std::max(n_layer_all + 1 - n_gpu_layers, 0);\n" +
      "    const int act_gpu_layers = devices.empty() ? 0 : std::min(n_gpu_layers, n_layer_all + 1);\n" +
      "    auto get_layer_buft_list = [&](int il) -> llama_model::impl::layer_dev {\n",
    replace:
      "    const bool is_stage = hparams.stage.partial();\n" +
      "    const int n_offloadable = is_stage ? hparams.stage.n_offloadable() : n_layer_all + 1;\n" +
      "    const int i_gpu_start = (is_stage ? hparams.stage.begin : 0) + std::max(n_offloadable - n_gpu_layers, 0);\n" +
      "    const int act_gpu_layers = devices.empty() ? 0 : std::min(n_gpu_layers, n_offloadable);\n" +
      "    auto get_layer_buft_list = [&](int il) -> llama_model::impl::layer_dev {\n",
  },
  {
    name: "model: device of the output head after the stage's last layer",
    file: MODEL,
    find: "    pimpl->dev_output = get_layer_buft_list(n_layer_all);\n",
    // Without output head: that of its last layer, for results to come back through memory of that device.
    replace:
      "    const int il_stage_output = hparams.stage.end - (hparams.stage.output ? 0 : 1);\n" +
      "    pimpl->dev_output = get_layer_buft_list(is_stage ? il_stage_output : n_layer_all);\n",
  },
  {
    name: "model: all layers of the stage on devices",
    file: MODEL,
    find: "    return params.n_gpu_layers >= 0 ? params.n_gpu_layers : hparams.n_layer_all + 1;\n",
    replace:
      "    if (hparams.stage.partial() && params.n_gpu_layers >= hparams.stage.n_offloadable()) {\n" +
      "        return hparams.n_layer_all + 1;\n    }\n" +
      "    return params.n_gpu_layers >= 0 ? params.n_gpu_layers : hparams.n_layer_all + 1;\n",
  },
  {
    name: "model: size of the stage",
    file: MODEL,
    find: "    pimpl->mappings.reserve(ml.mappings.size());\n",
    replace:
      "    pimpl->mappings.reserve(ml.mappings.size());\n" +
      "    pimpl->stage_absent = std::move(ml.stage.absent);\n" +
      "    if (hparams.stage.partial()) {\n        pimpl->n_bytes = exo_stage_size(ml);\n    }\n",
  },
  {
    name: "model: buffers by section",
    file: MODEL,
    find: "                ret[ggml_backend_buffer_get_type(buf.get())] += ggml_backend_buffer_get_size(buf.get());\n            }\n        }\n    }\n    return ret;\n}\n\nuint64_t llama_model::n_elements",
    replace:
      "                ret[ggml_backend_buffer_get_type(buf.get())] += hparams.stage.given\n" +
      "                    ? exo_stage_buffer_size(ctx.get(), buf.get()) : ggml_backend_buffer_get_size(buf.get());\n" +
      "            }\n        }\n    }\n    return ret;\n}\n\nuint64_t llama_model::n_elements",
  },
  {
    name: "model: end the graph of a stage",
    file: MODEL,
    find: "    std::unique_ptr<llm_graph_context> llm = build_arch_graph(params);\n",
    replace:
      "    std::unique_ptr<llm_graph_context> llm = build_arch_graph(params);\n\n" +
      "    if (hparams.stage.partial()) {\n        llm->finish_stage();\n    }\n" +
      "    if (!hparams.stage.output) {\n" +
      "        llm->res->set_outputs(params);\n" +
      "        return llm->res->get_gf();\n    }\n" +
      "    if (hparams.stage.given && params.cparams.embeddings) {\n        llm->finish_embeddings();\n    }\n",
  },
  {
    name: "model: embeddings of the size that is copied",
    file: MODEL,
    find: "    llm->build_dense_out(dense_2_out_layers, dense_2_out_layers_b, dense_3_out_layers);\n",
    replace:
      "    llm->build_dense_out(dense_2_out_layers, dense_2_out_layers_b, dense_3_out_layers);\n" +
      "    if (hparams.stage.given && params.cparams.embeddings) {\n        llm->check_embeddings();\n    }\n",
  },
  {
    name: "load: damaged files are errors",
    file: "src/llama.cpp",
    find: "    try {\n        llama_model_loader ml(metadata,",
    replace: "    exo_abort_guard guard;\n    try {\n        llama_model_loader ml(metadata,",
  },
];
