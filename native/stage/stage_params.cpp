#include "stage_params.h"

#include "error.h"
#include "text.h"

namespace exo {
namespace {

// llama.cpp's LLAMA_MAX_SEQ
constexpr uint32_t most_sequences = 256;
// KV cells of all sequences must be countable in 31 bits
constexpr uint64_t most_cells     = uint64_t(1) << 31;
constexpr int32_t  most_threads   = 512;
// What llama.cpp's tools take.
constexpr ggml_type kv_types[] = { GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_Q8_0,  GGML_TYPE_Q5_1,
                                   GGML_TYPE_Q5_0, GGML_TYPE_Q4_1, GGML_TYPE_Q4_0, GGML_TYPE_IQ4_NL };

[[noreturn]] void refuse(const std::string & sentence) {
    throw StageError(ErrorCode::invalid_argument, sentence);
}

void check_count(const char * name, int64_t value, int64_t least, int64_t most) {
    if (value >= least && value <= most) return;
    refuse(format("Expected params.%s between %lld and %lld, received %lld.", name, static_cast<long long>(least),
                  static_cast<long long>(most), static_cast<long long>(value)));
}

}  // namespace

void check_stage_params(const StageParams & params) {
    if (params.model_path.empty()) refuse("Expected the path of a GGUF file in params.model_path, received nothing.");
    if (params.vocab_only) return;
    if (params.layer_begin < 0 || params.layer_end < params.layer_begin) {
        refuse(format("Expected a layer range with 0 <= begin <= end, received %d-%d.", params.layer_begin,
                      params.layer_end));
    }
    if (params.layer_begin == params.layer_end && !params.has_output) {
        refuse(format("Layers %d-%d are none: a stage without layers makes sense only with the output head.",
                      params.layer_begin, params.layer_end));
    }
    check_count("context_size", params.context_size, 1, INT32_MAX);
    check_count("max_sequences", params.max_sequences, 1, most_sequences);
    check_count("batch_size", params.batch_size, 1, 1 << 20);
    check_count("micro_batch_size", params.micro_batch_size, 1, params.batch_size);
    check_count("max_outputs", params.max_outputs, 1, params.batch_size);
    check_count("threads", params.threads, 1, most_threads);
    check_count("batch_threads", params.batch_threads, 1, most_threads);
    if (!params.kv_unified && uint64_t(params.context_size) * params.max_sequences >= most_cells) {
        refuse(format("A context of %u tokens for %u sequences is more than llama.cpp can count; use fewer of either.",
                      params.context_size, params.max_sequences));
    }
    if (ggml_is_quantized(params.kv_type_v) && params.flash_attention == LLAMA_FLASH_ATTN_TYPE_DISABLED) {
        refuse("A quantized V cache (params.kv_type_v) needs flash attention: set params.flash_attention to on or "
               "auto.");
    }
}

void check_layer_range(const StageParams & params, int32_t layer_count) {
    if (params.layer_end > layer_count) {
        refuse(format("Layers %d-%d were asked for, but the model has %d.", params.layer_begin, params.layer_end,
                      layer_count));
    }
    if (params.has_output && params.layer_end != layer_count) {
        refuse(format("The output head was asked for after layer %d, but it must follow the model's last layer, %d.",
                      params.layer_end, layer_count));
    }
}

ggml_type kv_type_from_name(const std::string & name) {
    std::string known;
    for (const auto type : kv_types) {
        if (name == ggml_type_name(type)) return type;
        known += (known.empty() ? "" : ", ") + std::string(ggml_type_name(type));
    }
    refuse("Expected one of " + known + " as KV cache type, received \"" + name + "\".");
}

llama_flash_attn_type flash_attention_from_name(const std::string & name) {
    if (name == "auto") return LLAMA_FLASH_ATTN_TYPE_AUTO;
    if (name == "on") return LLAMA_FLASH_ATTN_TYPE_ENABLED;
    if (name == "off") return LLAMA_FLASH_ATTN_TYPE_DISABLED;
    refuse("Expected auto, on or off for params.flash_attention, received \"" + name + "\".");
}

}  // namespace exo
