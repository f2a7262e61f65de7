// What llama.cpp's graph builders call at the two ends of a stage (see vendor/rules/layer-loops.ts).

#include "exo-stage-graph.h"

#include "exo-stage-memory.h"
#include "exo-text.h"
#include "llama-arch.h"
#include "llama-batch.h"
#include "llama-impl.h"
#include "llama-model.h"

#include "ggml-backend.h"

#include <vector>

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

// Rows whose results are wanted.
ggml_tensor * llm_graph_context::build_stage_selected(ggml_tensor * rows) const {
    if (n_outputs == n_tokens) {
        return rows;
    }
    auto inp = std::make_unique<llm_graph_input_out_ids>(hparams, cparams, n_outputs);
    inp->out_ids = ggml_new_tensor_1d(ctx0, GGML_TYPE_I32, n_outputs);
    ggml_set_input(inp->out_ids);
    ggml_set_name(inp->out_ids, "stage_out_ids");
    rows = ggml_get_rows(ctx0, rows, inp->out_ids);
    res->add_input(std::move(inp));
    return rows;
}

// What the first layer here reads, or the output head where there is no layer.
ggml_tensor * llm_graph_context::build_stage_rows() const {
    ggml_tensor * hidden = build_stage_hidden();
    return hparams.stage.head_only() ? build_stage_selected(hidden) : hidden;
}

ggml_tensor * llm_graph_context::build_stage_input(ggml_tensor * embedded, int64_t n_stream) const {
    if (hparams.stage.input) {
        return embedded;
    }
    ggml_tensor * rows = build_stage_rows();
    return n_stream == 0 ? rows : ggml_reshape_3d(ctx0, rows, n_embd, n_stream, rows->ne[1]);
}

ggml_tensor * llm_graph_context::build_stage_stream(int64_t first, int64_t n) const {
    ggml_tensor * rows = build_stage_rows();
    const size_t  size = ggml_row_size(rows->type, n_embd);
    return ggml_cont(ctx0, n == 1
        ? ggml_view_2d(ctx0, rows, n_embd, rows->ne[1], rows->nb[1], first*size)
        : ggml_view_3d(ctx0, rows, n_embd, n, rows->ne[1], size, rows->nb[1], first*size));
}

bool llm_graph_context::build_stage_output(ggml_tensor * hidden, int64_t n_stream) const {
    if (hparams.stage.output) {
        return false;
    }
    if (n_stream > 0) {
        hidden = ggml_reshape_2d(ctx0, hidden, hidden->ne[0]*hidden->ne[1], hidden->ne[2]);
    }
    // In most graphs the model's last layer has selected the rows itself.
    if (hidden->ne[1] == n_tokens) {
        hidden = build_stage_selected(hidden);
    }
    cb(hidden, "stage_out", -1);
    res->t_embd = hidden;
    ggml_build_forward_expand(gf, hidden);
    return true;
}

// Every input is set before a run, also one that only layers of another stage read, so every input needs memory.
static void expand_inputs(ggml_context * ctx, ggml_cgraph * gf) {
    for (ggml_tensor * t = ggml_get_first_tensor(ctx); t; t = ggml_get_next_tensor(ctx, t)) {
        if (t->flags & GGML_TENSOR_FLAG_INPUT) {
            ggml_build_forward_expand(gf, t);
        }
    }
}

static bool reads_absent(const ggml_tensor * t) {
    return t && (exo_stage_is_absent(t) || (t->view_src && exo_stage_is_absent(t->view_src)));
}

// A tensor of another stage has no data, and would be computed with as if it held anything.
static void check_tensors(ggml_cgraph * gf) {
    for (int i = 0; i < ggml_graph_n_nodes(gf); ++i) {
        const ggml_tensor * node = ggml_graph_node(gf, i);
        for (const ggml_tensor * src : node->src) {
            if (reads_absent(src)) {
                exo_refuse(format("%s is computed from %s, which belongs to another stage", node->name, src->name));
            }
        }
    }
}

void llm_graph_context::finish_stage() const {
    expand_inputs(ctx0, gf);
    check_tensors(gf);
}

// Puts the nodes up to `last` into an empty graph again, in their order.
static void cut_behind(ggml_cgraph * gf, const ggml_tensor * last) {
    std::vector<ggml_tensor *> nodes;
    for (int i = 0; i < ggml_graph_n_nodes(gf); ++i) {
        nodes.push_back(ggml_graph_node(gf, i));
        if (nodes.back() == last) {
            break;
        }
    }
    ggml_graph_clear(gf);
    for (ggml_tensor * node : nodes) {
        ggml_build_forward_order(gf, node);
    }
}

// The same graph may be asked for again, and must not be taken for one that was built.
[[noreturn]] static void refuse_embeddings(llm_graph_result * res, llm_arch arch, const char * why) {
    res->reset();
    exo_refuse(format("the architecture %s " EXO_NO_EMBEDDINGS ": %s", llm_arch_name(arch), why));
}

void llm_graph_context::finish_embeddings() const {
    if (!res->t_embd) {
        refuse_embeddings(res, arch, "its graph has no hidden states after the last layer");
    }
    if (res->t_logits) {
        cut_behind(gf, res->t_embd);
        res->t_logits = nullptr;
    }
    expand_inputs(ctx0, gf);
    // What came in is the result where nothing follows the last layer; a graph needs a node.
    if (res->t_embd->op == GGML_OP_NONE) {
        res->t_embd = ggml_cont(ctx0, res->t_embd);
    }
    // Some graphs select the rows only where logits are made of them.
    if (res->t_embd->ne[1] == n_tokens) {
        res->t_embd = build_stage_selected(res->t_embd);
    }
    ggml_build_forward_expand(gf, res->t_embd);
}

void llm_graph_context::check_embeddings() const {
    if (res->t_embd_pooled->ne[0] != (int64_t) hparams.n_embd_out()) {
        refuse_embeddings(res, arch, "its last hidden states have another size than it names");
    }
}
