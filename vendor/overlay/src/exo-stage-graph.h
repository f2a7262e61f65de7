#pragma once

#include "llama-graph.h"

// Hidden states that come from the stage before, and the token ids that came with them.
class llm_graph_input_stage : public llm_graph_input_i {
public:
    void set_input(const llama_ubatch * ubatch) override;
    bool can_reuse(const llm_graph_params & params) override;

    ggml_tensor * tokens = nullptr; // I32 [n_tokens]
    ggml_tensor * hidden = nullptr; // F32 [n_embd_inp, n_tokens]
};
