#include "loaded_model.h"

#include <algorithm>

#include "error.h"
#include "gguf_check.h"
#include "log_router.h"
#include "memory_lock.h"
#include "text.h"

namespace exo {
namespace {

void stop_if(const std::atomic<bool> & cancelled) {
    if (cancelled) throw StageError(ErrorCode::cancelled, "Loading was cancelled.");
}

std::string description_of(const llama_model * model) {
    char      text[256];
    const int length = llama_model_desc(model, text, sizeof(text));
    return length < 0 ? "" : text;
}

}  // namespace

LoadedModel::LoadedModel(const StageParams & params, const std::function<void(float)> & on_progress,
                         const std::atomic<bool> & cancelled, const std::atomic<bool> & aborted) :
    params_(params),
    setup_(params_) {
    check_stage_params(params_);
    const auto summary = check_gguf(params_.model_path);
    architecture_      = summary.architecture;
    layer_count_       = summary.layer_count;
    learned_positions_ = summary.learned_positions;
    if (!params_.vocab_only && summary.layer_count > 0) check_layer_range(params_, summary.layer_count);
    stop_if(cancelled);
    if (!params_.vocab_only) {
        check_memory(plan_memory(params_, setup_));
        stop_if(cancelled);
    }
    load_weights(on_progress, cancelled);
    stop_if(cancelled);
    if (!params_.vocab_only) prepare_context(aborted);
    chat_.load(model_.get());
    describe();
}

void LoadedModel::load_weights(const std::function<void(float)> & on_progress, const std::atomic<bool> & cancelled) {
    struct Watch {
        const std::function<void(float)> & on_progress;
        const std::atomic<bool> &          cancelled;
    } watch{ on_progress, cancelled };

    auto model_params                        = setup_.model_params();
    model_params.progress_callback_user_data = &watch;
    model_params.progress_callback           = [](float fraction, void * data) {
        const auto & watching = *static_cast<Watch *>(data);
        watching.on_progress(fraction);
        return !watching.cancelled;
    };
    try {
        const LogCapture log;
        model_ = open_model(params_, model_params);
        if (params_.use_mlock && log.saw_mlock_failure()) log_notice(mlock_warning());
    } catch (const StageError &) {
        stop_if(cancelled);
        throw;
    }
}

void LoadedModel::prepare_context(const std::atomic<bool> & aborted) {
    const auto * model = model_.get();
    check_layer_range(params_, llama_model_n_layer(model));
    if (llama_model_has_encoder(model) && llama_model_has_decoder(model)) {
        throw StageError(ErrorCode::unsupported, "Models with an encoder and a decoder (" + architecture_ +
                                                     ") cannot be run by this version.");
    }
    texts_   = text_traits_of(model);
    context_ = open_context(model_.get(), setup_.context_params(texts_, aborted));
    const auto sharing = setup_.with_gpus()      ? Sharing::none :
                         params_.is_head_only() ? Sharing::urgent :
                                                  Sharing::in_turn;
    threads_ = std::make_unique<ComputeThreads>(context_.get(), params_.threads, params_.batch_threads, sharing,
                                                params_.keep_awake);
    memory_  = memory_of(context_.get());
}

void LoadedModel::describe() {
    const auto * model      = model_.get();
    const auto * vocabulary = llama_model_get_vocab(model);
    const auto * chat       = llama_model_chat_template(model, nullptr);
    auto *       memory     = context_ ? llama_get_memory(context_.get()) : nullptr;
    const bool   recurrent  = llama_model_is_recurrent(model) || llama_model_is_hybrid(model);

    info_.architecture    = architecture_;
    info_.description     = description_of(model);
    // With the vocabulary alone llama.cpp does not read the rest of the parameters.
    info_.layer_count     = params_.vocab_only ? std::max(0, layer_count_) : llama_model_n_layer(model);
    info_.embedding_size  = llama_model_n_embd(model);
    // More than one hidden state crosses the boundary in a few architectures.
    info_.input_size      = !context_ || params_.has_embedding() ? 0 : llama_model_n_embd_inp(model);
    info_.output_size     = !context_ || params_.has_output ? 0 : llama_model_n_embd_out(model);
    info_.vocabulary_size = llama_vocab_n_tokens(vocabulary);
    info_.context_trained = llama_model_n_ctx_train(model);
    // The stage without layers has room for any position: it looks at none.
    info_.context_size    = !context_               ? 0 :
                            params_.is_head_only() ? static_cast<int32_t>(params_.context_size) :
                                                      static_cast<int32_t>(llama_n_ctx_seq(context_.get()));
    info_.parameter_count = llama_model_n_params(model);
    info_.chat_template   = chat == nullptr ? "" : chat;
    info_.bos_token       = llama_vocab_bos(vocabulary);
    info_.eos_token       = llama_vocab_eos(vocabulary);
    info_.add_bos         = llama_vocab_get_add_bos(vocabulary);
    info_.can_shift       = memory != nullptr && llama_memory_can_shift(memory);
    // deepseek4 keeps compressed blocks, which cannot be cut.
    info_.can_trim        = memory != nullptr && !recurrent && architecture_ != "deepseek4";
    describe_texts();

    kv_traits_.max_sequences = static_cast<int32_t>(params_.max_sequences);
    kv_traits_.context_size  = info_.context_size;
    kv_traits_.can_shift     = info_.can_shift;
    kv_traits_.can_trim      = info_.can_trim;
    kv_traits_.window        = llama_model_n_swa(model);

    limits_.max_rows        = context_ ? llama_n_batch(context_.get()) : 0;
    limits_.max_outputs     = params_.max_outputs;
    limits_.max_sequences   = kv_traits_.max_sequences;
    limits_.context_size    = info_.context_size;
    limits_.vocabulary_size = info_.vocabulary_size;
    limits_.input_size      = static_cast<size_t>(info_.input_size);
    limits_.output_size     = static_cast<size_t>(info_.output_size);
    limits_.has_embedding   = params_.has_embedding();
    limits_.has_output      = params_.has_output;
}

void LoadedModel::describe_texts() {
    const auto * model = model_.get();
    // ggml looks up what lies behind the table's end, too, or ends the process.
    if (learned_positions_ || texts_.whole) info_.context_size = std::min(info_.context_size, info_.context_trained);
    info_.pooling     = texts_.pooling;
    info_.whole_texts = texts_.whole;
    info_.keeps_cache = context_ && llama_get_memory(context_.get()) != nullptr;
    info_.encoder     = texts_.encoder;
    info_.generates   = !texts_.encoder && (!context_ || info_.keeps_cache);
    const bool embeds = context_ && params_.has_output && !llama_model_has_encoder(model);
    info_.pooled_size = embeds ? llama_model_n_embd_out(model) : 0;
}

void LoadedModel::note_outputs(size_t outputs) {
    if (outputs > outputs_) outputs_ = outputs;
}

StageMemory LoadedModel::memory() const {
    if (!context_) return {};
    const size_t rows  = std::max<size_t>(outputs_, llama_n_seq_max(context_.get()));
    const size_t width = params_.has_output ? static_cast<size_t>(info_.vocabulary_size) : limits_.output_size;
    const auto   buffers = weight_buffers_of(context_.get());
    return { memory_, rows * width * sizeof(float), mapped_weights(buffers), buffers };
}

}  // namespace exo
