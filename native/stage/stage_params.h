#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "llama.h"

namespace exo {

// NativeStageParams of src/native/bindings.ts.
struct StageParams {
    std::string              model_path;
    int32_t                  layer_begin      = 0;
    int32_t                  layer_end        = 0;
    bool                     has_output       = false;
    bool                     vocab_only       = false;
    uint32_t                 context_size     = 0;
    uint32_t                 max_sequences    = 0;
    uint32_t                 batch_size       = 0;
    uint32_t                 micro_batch_size = 0;
    uint32_t                 max_outputs      = 0;
    int32_t                  threads          = 0;
    int32_t                  batch_threads    = 0;
    bool                     keep_awake       = false;
    std::vector<std::string> devices;
    int32_t                  gpu_layers = -1;
    ggml_type                kv_type_k  = GGML_TYPE_F16;
    ggml_type                kv_type_v  = GGML_TYPE_F16;
    llama_flash_attn_type    flash_attention = LLAMA_FLASH_ATTN_TYPE_AUTO;
    bool                     kv_unified      = false;
    bool                     use_mmap        = true;
    bool                     use_mlock       = false;

    // The head's way back: final norm and lm_head without a layer before them.
    bool is_head_only() const { return has_output && layer_begin == layer_end; }
    // From the embedding to the output head.
    bool is_whole() const { return has_embedding() && has_output; }
    // Token embedding here: rows come as tokens. Elsewhere they come as hidden states.
    bool has_embedding() const { return layer_begin == 0 && layer_end > 0; }
};

// Throws `invalid_argument` for what can be seen without the model.
void check_stage_params(const StageParams & params);

// Throws `invalid_argument` when the range does not fit a model of `layer_count` layers.
void check_layer_range(const StageParams & params, int32_t layer_count);

ggml_type             kv_type_from_name(const std::string & name);
llama_flash_attn_type flash_attention_from_name(const std::string & name);

}  // namespace exo
