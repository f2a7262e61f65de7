import type { Rule } from "./rule.js";

const CONTEXT = "src/llama-context.cpp";

/** Batches and results of a stage. */
export const CONTEXT_RULES: readonly Rule[] = [
  {
    name: "context: settings that follow from the stage",
    file: CONTEXT,
    find: "    const auto & hparams = model.hparams;\n\n" + "    cparams.n_seq_max = std::max(1u, params.n_seq_max);\n",
    replace:
      "    const auto & hparams = model.hparams;\n\n" +
      "    if (hparams.stage.partial() && params.ctx_type == LLAMA_CONTEXT_TYPE_MTP) {\n" +
      '        exo_refuse("a stage of a model has no multi-token prediction layers");\n    }\n' +
      "    if (!hparams.stage.output) {\n" +
      "        params.embeddings   = true;\n        params.pooling_type = LLAMA_POOLING_TYPE_NONE;\n    }\n" +
      "    if (hparams.stage.head_only()) {\n" +
      "        // keeps no state between calls, so one sequence as long as a batch will do\n" +
      "        params.n_seq_max  = 1;\n        params.n_ctx      = params.n_batch;\n        params.kv_unified = true;\n    }\n\n" +
      "    cparams.n_seq_max = std::max(1u, params.n_seq_max);\n",
  },
  {
    name: "context: batch of a stage",
    file: CONTEXT,
    find: "int llama_context::decode(const llama_batch & batch_inp) {\n",
    replace:
      "int llama_context::decode(const llama_batch & batch_given) {\n" +
      "    const exo_stage_batch stage_batch(model.hparams, batch_given, cparams.n_batch, memory.get());\n" +
      "    if (!stage_batch.ok) {\n        return -1;\n    }\n" +
      "    const llama_batch & batch_inp = stage_batch.batch;\n\n",
  },
  {
    name: "context: a stage returns the rows that are asked for",
    file: CONTEXT,
    find: "    const bool output_all   = cparams.embeddings;\n",
    replace: "    const bool output_all   = cparams.embeddings && !hparams.stage.given;\n",
  },
  {
    name: "context: no room for logits where none are computed",
    file: CONTEXT,
    find: "    bool has_logits     = true;\n    bool has_embd       = cparams.embeddings;\n",
    replace:
      "    bool has_logits     = hparams.stage.output && !(hparams.stage.given && cparams.embeddings);\n" +
      "    bool has_embd       = cparams.embeddings;\n",
  },
  {
    // It bounds the memory of logits.
    name: "context: hidden states of any number of rows",
    file: CONTEXT,
    find: "    GGML_ASSERT(n_outputs_max <= cparams.n_outputs_max);\n\n    return n_outputs_max;\n",
    replace:
      "    GGML_ASSERT(n_outputs_max <= (has_logits ? cparams.n_outputs_max : std::max(n_batch, n_seq_max())));\n\n" +
      "    return n_outputs_max;\n",
  },
  {
    name: "context: impossible settings are errors",
    file: CONTEXT,
    find: "    try {\n        auto * ctx = new llama_context(*model, params);\n",
    replace: "    try {\n        exo_abort_guard guard;\n        auto * ctx = new llama_context(*model, params);\n",
  },
  {
    name: "context: batches that cannot be computed are errors",
    file: CONTEXT,
    find: "    const int ret = ctx->decode(batch);\n",
    replace:
      "    int ret = -3;\n" +
      "    try {\n        exo_abort_guard guard;\n        ret = ctx->decode(batch);\n" +
      "    } catch (const std::exception & err) {\n" +
      '        LLAMA_LOG_ERROR("exo: %s\\n", err.what());\n    }\n',
  },
];
