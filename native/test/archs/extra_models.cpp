#include "extra_models.h"

#include "ggml-backend.h"
#include "ggml-cpp.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

// Exported by libllama, declared in its private headers.
const std::vector<std::pair<std::string, ggml_tensor *>> & llama_internal_get_tensor_map(const llama_model * model);

bool exo_is_extra(llm_arch arch) {
    return arch == LLM_ARCH_APERTUS || arch == LLM_ARCH_GEMMA4 || arch == LLM_ARCH_RWKV6 || arch == LLM_ARCH_STEP35;
}

void exo_save_model(const gguf_context * metadata, const llama_model * model, const char * path) {
    const auto & tensors = llama_internal_get_tensor_map(model);

    gguf_context_ptr file(gguf_init_empty());
    gguf_set_kv(file.get(), metadata);

    const ggml_init_params params = {ggml_tensor_overhead()*tensors.size(), nullptr, true};
    ggml_context_ptr       shapes(ggml_init(params));

    std::vector<std::vector<char>> data;
    data.reserve(tensors.size());
    std::set<std::string> written;
    for (const auto & [name, tensor] : tensors) {
        if (!written.insert(name).second) {
            continue; // a tied tensor comes twice
        }
        ggml_tensor * shape = ggml_dup_tensor(shapes.get(), tensor);
        ggml_set_name(shape, name.c_str());
        data.emplace_back(ggml_nbytes(tensor));
        ggml_backend_tensor_get(tensor, data.back().data(), 0, data.back().size());
        gguf_add_tensor(file.get(), shape);
        gguf_set_tensor_data(file.get(), name.c_str(), data.back().data());
    }
    gguf_write_to_file(file.get(), path, false);
}
