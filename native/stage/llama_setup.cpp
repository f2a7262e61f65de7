#include "llama_setup.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "devices.h"
#include "error.h"
#include "log_router.h"

namespace exo {
namespace {

// The keys that our rules (vendor/rules) read where llama.cpp reads a model's parameters.
llama_model_kv_override integer_override(const char * key, int64_t value) {
    llama_model_kv_override entry{};
    entry.tag     = LLAMA_KV_OVERRIDE_TYPE_INT;
    entry.val_i64 = value;
    std::snprintf(entry.key, sizeof(entry.key), "%s", key);
    return entry;
}

bool contains(const std::string & text, const char * part) {
    return text.find(part) != std::string::npos;
}

// llama.cpp gives no codes, only log lines.
StageError load_error(const StageParams & params, const LogCapture & log) {
    const auto what = "The model " + params.model_path + " cannot be loaded: ";
    if (!log.refusal().empty()) return StageError(ErrorCode::unsupported, what + log.refusal() + ".");
    const auto reason   = log.reason();
    const bool blocks   = contains(reason, "does not divide n_embd_head");
    const auto mend     = blocks ? " The model's heads are too small for this type of the KV cache: take f16." : "";
    const auto sentence = what + (reason.empty() ? "llama.cpp gave no reason" : reason) + "." + mend;
    for (const char * sign : { "failed to allocate", "unable to allocate", "out of memory", "bad_alloc" }) {
        if (contains(reason, sign)) return StageError(ErrorCode::out_of_memory, sentence);
    }
    return StageError(ErrorCode::invalid_model, sentence);
}

}  // namespace

LlamaSetup::LlamaSetup(const StageParams & params) : params_(params), overrides_{} {
    for (const auto & name : params.devices) {
        const auto device = find_device(name);
        // the CPU takes whatever the devices of this list do not
        if (ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_CPU) devices_.push_back(device);
    }
    devices_.push_back(nullptr);
    overrides_[0] = integer_override("exo.stage.begin", params.layer_begin);
    overrides_[1] = integer_override("exo.stage.end", params.layer_end);
    overrides_[2] = integer_override("exo.stage.output", params.has_output ? 1 : 0);
}

llama_model_params LlamaSetup::model_params() const {
    llama_model_params model = llama_model_default_params();
    model.devices            = const_cast<ggml_backend_dev_t *>(devices_.data());
    model.vocab_only         = params_.vocab_only;
    if (params_.vocab_only) return model;
    model.kv_overrides   = overrides_.data();
    const bool all       = params_.gpu_layers < 0 || params_.gpu_layers >= params_.layer_end - params_.layer_begin;
    model.n_gpu_layers   = !with_gpus() ? 0 : all ? -1 : params_.gpu_layers;
    model.load_mode      = load_mode();
    return model;
}

llama_load_mode LlamaSetup::load_mode() const {
    if (!params_.use_mlock) return params_.use_mmap ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
    // llama.cpp locks a mapped file from its first byte to the last that it needs. For part of a model that would be
    // the layers of other stages too, so such a stage reads its weights into memory of its own.
    return params_.use_mmap && params_.is_whole() ? LLAMA_LOAD_MODE_MMAP_MLOCK : LLAMA_LOAD_MODE_MLOCK;
}

llama_context_params LlamaSetup::context_params(const TextTraits & texts, const std::atomic<bool> & aborted) const {
    llama_context_params context = llama_context_default_params();
    // Our rules replace these three for a stage without layers, which keeps nothing between calls.
    context.n_seq_max        = params_.max_sequences;
    context.n_ctx            = params_.kv_unified ? params_.context_size : params_.context_size * params_.max_sequences;
    context.kv_unified       = params_.kv_unified;
    context.n_batch          = params_.batch_size;
    context.n_ubatch         = texts.whole ? params_.batch_size : params_.micro_batch_size;
    context.n_threads        = params_.threads;
    context.n_threads_batch  = params_.batch_threads;
    context.type_k           = params_.kv_type_k;
    context.type_v           = params_.kv_type_v;
    context.flash_attn_type  = params_.flash_attention;
    context.no_perf          = true;
    context.abort_callback   = [](void * data) { return static_cast<const std::atomic<bool> *>(data)->load(); };
    context.abort_callback_data = const_cast<std::atomic<bool> *>(&aborted);
    // A stage without the output head hands on hidden states; llama.cpp calls those embeddings. Where embeddings proper
    // are wanted, the stage says so with each micro-batch, and pools by itself: a text may take several.
    context.embeddings       = !params_.has_output || texts.whole;
    context.pooling_type     = LLAMA_POOLING_TYPE_NONE;
    const bool gives_logits  = params_.has_output && !texts.whole;
    context.n_outputs_max    = gives_logits ? std::max(params_.max_outputs, params_.max_sequences) : 0;
    return context;
}

LlamaModelPointer open_model(const StageParams & params, llama_model_params model_params) {
    const LogCapture  log;
    LlamaModelPointer model(llama_model_load_from_file(params.model_path.c_str(), model_params));
    if (!model) throw load_error(params, log);
    return model;
}

LlamaContextPointer open_context(llama_model * model, llama_context_params context_params) {
    const LogCapture    log;
    LlamaContextPointer context(llama_init_from_model(model, context_params));
    if (context) return context;
    const std::string what = "The stage's context cannot be made: ";
    if (!log.refusal().empty()) throw StageError(ErrorCode::unsupported, what + log.refusal() + ".");
    const auto reason   = log.reason();
    const bool blocks   = contains(reason, "does not divide n_embd_head");
    const auto mend     = blocks ? " The model's heads are too small for this type of the KV cache: take f16." : "";
    const auto sentence = what + (reason.empty() ? "llama.cpp gave no reason" : reason) + "." + mend;
    const bool memory   = contains(reason, "alloc") || contains(reason, "memory") || contains(reason, "reserve");
    throw StageError(memory ? ErrorCode::out_of_memory : ErrorCode::invalid_argument, sentence);
}

}  // namespace exo
