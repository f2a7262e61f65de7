#pragma once

#include <memory>

#include "llama.h"

namespace exo {

struct LlamaModelDeleter {
    void operator()(llama_model * model) const { llama_model_free(model); }
};
struct LlamaContextDeleter {
    void operator()(llama_context * context) const { llama_free(context); }
};
using LlamaModelPointer   = std::unique_ptr<llama_model, LlamaModelDeleter>;
using LlamaContextPointer = std::unique_ptr<llama_context, LlamaContextDeleter>;

}  // namespace exo
