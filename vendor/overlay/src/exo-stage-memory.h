#pragma once

// Which bytes of the model files a stage needs, and how the rest stays out of memory.

#include "exo-stage.h"
#include "llama-mmap.h"

#include "ggml-cpp.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

struct LLM_TN_IMPL;
struct llama_model_loader;

// Part of llama_model_loader.
struct exo_stage_memory {
    exo_stage stage;

    // Tensors of other stages: shape and type only, so that graph builders can name them.
    ggml_context_ptr absent;

    // The token embedding, when single rows of it are looked up but nothing reads it whole.
    const ggml_tensor * looked_up = nullptr;

    // By file: byte ranges of tensors that live in the mapping.
    std::map<uint32_t, llama_mmap::ranges> mapped;

    // By file: from the first to the last byte that a device has mapped; it may look at what lies between.
    std::map<uint32_t, std::pair<size_t, size_t>> device_span;

    // Mapped tensors are brought into memory while loading.
    bool populate = false;

    // Does this tensor belong to another stage?
    bool is_absent(const llama_hparams & hparams, const LLM_TN_IMPL & tn, int flags) const;

    ggml_tensor * add_absent(const ggml_tensor & meta, const char * name, int max_tensors);

    // Tensors of one section lie together in the file and share buffers: a buffer that spans a mapping from the token
    // embedding to the final norm would hold every layer between them.
    std::string section(const std::string & tensor_name) const;
};

// Was the tensor made by add_absent()? Such a tensor has no data.
bool exo_stage_is_absent(const ggml_tensor * tensor);

// Bytes of a file that no tensor of the stage needs, in the form llama_mmap takes for ranges not to read ahead.
llama_mmap::ranges exo_stage_unneeded(const llama_model_loader & ml, uint32_t file_idx);

// Sum of the sizes of the tensors to load.
size_t exo_stage_size(const llama_model_loader & ml);

// Notes that a tensor lives in the mapping, in a buffer of `is_host` memory or of a device, and brings it into memory
// as stock llama.cpp does by MAP_POPULATE.
void exo_stage_keep(llama_model_loader & ml, const ggml_tensor * tensor, bool is_host);

// Lets go of the pages of a tensor that has been copied elsewhere; they come back when read again.
void exo_stage_release(const llama_mmap & mapping, size_t first, size_t last);

// Unmaps everything of a file but the tensors that live there.
void exo_stage_unmap_rest(llama_model_loader & ml, uint32_t file_idx);

// Bytes of the tensors in a buffer; the buffer itself may span holes.
size_t exo_stage_buffer_size(ggml_context * ctx, ggml_backend_buffer_t buffer);
