#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "chat.h"
#include "compute_threads.h"
#include "decode_batch.h"
#include "kv_operation.h"
#include "llama_pointers.h"
#include "memory_plan.h"
#include "stage_params.h"

namespace exo {

// NativeStageInfo of src/native/bindings.ts.
struct StageInfo {
    std::string architecture;
    std::string description;
    int32_t     layer_count;
    int32_t     embedding_size;
    int32_t     input_size;   // 0 where the embedding is
    int32_t     output_size;  // 0 where the output head is
    int32_t     vocabulary_size;
    int32_t     context_trained;
    int32_t     context_size;
    uint64_t    parameter_count;
    std::string chat_template;  // "" when there is none
    int32_t     bos_token;
    int32_t     eos_token;
    bool        add_bos;
    bool        can_shift;
    bool        can_trim;
    std::string pooling;      // TextTraits
    bool        whole_texts;
    bool        keeps_cache;
    bool        generates;
    bool        encoder;      // not for JavaScript: `generates` says enough
    int32_t     pooled_size;  // 0 where the output head is not, and where the model gives no embeddings
};

// A layer range in memory, ready to compute. Everything in it is fixed after loading except the context's state, which
// only the stage's thread touches; vocabulary and chat template may be read from any thread.
class LoadedModel {
  public:
    // `on_progress` gets 0…1; `cancelled` is looked at between steps of loading, `aborted` between steps of computing.
    LoadedModel(const StageParams & params, const std::function<void(float)> & on_progress,
                const std::atomic<bool> & cancelled, const std::atomic<bool> & aborted);

    const StageParams &   params() const { return params_; }
    const StageInfo &     info() const { return info_; }
    const BatchLimits &   limits() const { return limits_; }
    const KvTraits &      kv_traits() const { return kv_traits_; }
    const llama_model *   model() const { return model_.get(); }
    const llama_vocab *   vocabulary() const { return llama_model_get_vocab(model_.get()); }
    // null for a vocabulary only
    llama_context *       context() const { return context_.get(); }
    Chat &                chat() { return chat_; }
    // Only with a context.
    ComputeThreads &      threads() { return *threads_; }
    StageMemory           memory() const;
    // llama.cpp's output buffer grows to the most outputs seen.
    void                  note_outputs(size_t outputs);

  private:
    void load_weights(const std::function<void(float)> & on_progress, const std::atomic<bool> & cancelled);
    void prepare_context(const std::atomic<bool> & aborted);
    void describe();
    void describe_texts();

    const StageParams               params_;
    std::string                     architecture_;
    int32_t                         layer_count_ = -1;  // as the file says
    bool                            learned_positions_ = false;
    TextTraits                      texts_;
    LlamaSetup                      setup_;
    LlamaModelPointer               model_;
    LlamaContextPointer             context_;
    std::unique_ptr<ComputeThreads> threads_;  // after the context it is attached to
    Chat                            chat_;
    StageInfo                       info_{};
    BatchLimits                     limits_;
    KvTraits                        kv_traits_;
    std::vector<DeviceMemory>       memory_;
    std::atomic<size_t>             outputs_{ 0 };
};

}  // namespace exo
