#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <vector>

#include "llama_pointers.h"
#include "stage_params.h"
#include "text_traits.h"

namespace exo {

// StageParams as llama.cpp wants them. Holds what the structs point to, so it must outlive the load.
class LlamaSetup {
  public:
    // Throws for device names this machine does not have.
    explicit LlamaSetup(const StageParams & params);
    LlamaSetup(const LlamaSetup &)             = delete;
    LlamaSetup & operator=(const LlamaSetup &) = delete;

    // Layers may be on a device other than the CPU.
    bool                 with_gpus() const { return devices_.size() > 1; }
    llama_model_params   model_params() const;
    // The computation stops soon after `aborted` becomes true, where it runs on the CPU.
    llama_context_params context_params(const TextTraits & texts, const std::atomic<bool> & aborted) const;

  private:
    llama_load_mode load_mode() const;

    const StageParams &                    params_;
    std::vector<ggml_backend_dev_t>        devices_;    // ends with null
    std::array<llama_model_kv_override, 4> overrides_;  // ends with an empty key
};

// Loads the stage's part of the model. Throws `invalid_model`, `unsupported`, `out_of_memory` or `cancelled`.
LlamaModelPointer open_model(const StageParams & params, llama_model_params model_params);

// Throws `out_of_memory`, `unsupported` or `invalid_argument`.
LlamaContextPointer open_context(llama_model * model, llama_context_params context_params);

}  // namespace exo
