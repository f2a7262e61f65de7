// What llama.cpp's graph builders call at the two ends of a stage (see vendor/rules/layer-loops.ts).

#include "exo-stage-graph.h"

#include "llama-batch.h"
#include "llama-model.h"

#include "ggml-backend.h"

void llm_graph_input_stage::set_input(const llama_ubatch * ubatch) {
    const int64_t n_tokens = ubatch->n_tokens;
    if (ubatch->token) {
        ggml_backend_tensor_set(tokens, ubatch->token, 0, n_tokens*ggml_element_size(tokens));
    }
    if (ubatch->embd) {
        ggml_backend_tensor_set(hidden, ubatch->embd, 0, n_tokens*hidden->ne[0]*ggml_element_size(hidden));
    }
}

bool llm_graph_input_stage::can_reuse(const llm_graph_params & params) {
    return hidden->ne[1] == params.ubatch.n_tokens;
}

ggml_tensor * llm_graph_context::build_stage_hidden() const {
    if (res->t_inp_embd) {
        return res->t_inp_embd;
    }
    auto inp = std::make_unique<llm_graph_input_stage>();

    inp->tokens = ggml_new_tensor_1d(ctx0, GGML_TYPE_I32, n_tokens);
    cb(inp->tokens, "inp_tokens", -1);
    ggml_set_input(inp->tokens);
    res->t_inp_tokens = inp->tokens;

    inp->hidden = ggml_new_tensor_2d(ctx0, GGML_TYPE_F32, hparams.n_embd_inp(), n_tokens);
    cb(inp->hidden, "stage_inp", -1);
    ggml_set_input(inp->hidden);
    res->t_inp_embd = inp->hidden;

    res->add_input(std::move(inp));
    ggml_build_forward_expand(gf, res->t_inp_tokens);
    ggml_build_forward_expand(gf, res->t_inp_embd);
    return res->t_inp_embd;
}

ggml_tensor * llm_graph_context::build_stage_input(ggml_tensor * embedded) const {
    const exo_stage & stage = hparams.stage;
    if (stage.input) {
        return embedded;
    }
    ggml_tensor * hidden = build_stage_hidden();
    if (!stage.head_only()) {
        return hidden;
    }
    // No last layer here that would select the rows whose logits are wanted.
    return ggml_get_rows(ctx0, hidden, build_stage_out_ids());
}

bool llm_graph_context::build_stage_output(ggml_tensor * hidden) const {
    const exo_stage & stage = hparams.stage;
    if (stage.output) {
        return false;
    }
    // In most graphs the model's last layer has selected the rows itself.
    if (hidden->ne[1] == n_tokens && n_outputs < n_tokens) {
        hidden = ggml_get_rows(ctx0, hidden, build_stage_out_ids());
    }
    cb(hidden, "stage_out", -1);
    res->t_embd = hidden;
    ggml_build_forward_expand(gf, hidden);
    return true;
}

ggml_tensor * llm_graph_context::build_stage_out_ids() const {
    auto inp = std::make_unique<llm_graph_input_out_ids>(hparams, cparams, n_outputs);
    ggml_tensor * ids = ggml_new_tensor_1d(ctx0, GGML_TYPE_I32, n_outputs);
    ggml_set_input(ids);
    ggml_set_name(ids, "stage_out_ids");
    inp->out_ids = ids;
    res->add_input(std::move(inp));
    return ids;
}

void llm_graph_context::build_stage_unused_inputs() const {
    // Every input is set before a run, also one that only layers of another stage read, so every input needs memory.
    for (ggml_tensor * t = ggml_get_first_tensor(ctx0); t; t = ggml_get_next_tensor(ctx0, t)) {
        if (t->flags & GGML_TENSOR_FLAG_INPUT) {
            ggml_build_forward_expand(gf, t);
        }
    }
}
