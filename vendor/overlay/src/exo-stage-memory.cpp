#include "exo-stage-memory.h"

#include "llama-hparams.h"
#include "llama-impl.h"
#include "llama-model-loader.h"

#include <algorithm>
#include <stdexcept>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

// Smaller gaps between tensors are alignment or tiny tensors: not worth a system call each.
static const size_t MIN_GAP = 64*1024;

// Marks tensors of other stages, in ggml_tensor::extra.
static char absent_mark;

bool exo_stage_is_absent(const ggml_tensor * tensor) {
    return tensor->extra == &absent_mark;
}

static bool holds_ple(const llama_hparams & hparams, const exo_stage & stage) {
    for (int32_t il = stage.begin; il < stage.end; ++il) {
        if (hparams.is_ple(il)) {
            return true;
        }
    }
    return false;
}

bool exo_stage_memory::is_absent(const llama_hparams & hparams, const LLM_TN_IMPL & tn, int flags) const {
    if (!stage.partial()) {
        return false;
    }
    // Looked up by a layer, not where tokens are embedded.
    if (tn.tensor == LLM_TENSOR_PER_LAYER_TOKEN_EMBD && hparams.ple_n_heads > 0) {
        return !holds_ple(hparams, stage);
    }
    // A tied embedding is created a second time to serve as the output.
    const bool as_output = tn.tensor == LLM_TENSOR_TOKEN_EMBD && (flags & llama_model_loader::TENSOR_DUPLICATED);
    switch (llm_tensor_info_for(as_output ? LLM_TENSOR_OUTPUT : tn.tensor).layer) {
        case LLM_TENSOR_LAYER_INPUT:     return !stage.input;
        case LLM_TENSOR_LAYER_OUTPUT:    return !stage.output;
        case LLM_TENSOR_LAYER_REPEATING: return !stage.holds(tn.bid);
    }
    return false;
}

ggml_tensor * exo_stage_memory::add_absent(const ggml_tensor & meta, const char * name, int max_tensors) {
    if (!absent) {
        ggml_init_params params = { ggml_tensor_overhead()*max_tensors, nullptr, true };
        absent.reset(ggml_init(params));
        if (!absent) {
            throw std::runtime_error("failed to create ggml context");
        }
    }
    // Tensors shared by layers, such as rope factors, are asked for once per layer.
    if (ggml_tensor * t = ggml_get_tensor(absent.get(), name)) {
        return t;
    }
    ggml_tensor * t = ggml_dup_tensor(absent.get(), &meta);
    ggml_set_name(t, name);
    t->extra = &absent_mark;
    return t;
}

std::string exo_stage_memory::section(const std::string & tensor_name) const {
    if (!stage.partial() || tensor_name.rfind("blk.", 0) == 0) {
        return {};
    }
    return tensor_name;
}

// Sorted ranges without overlap; gaps up to `max_gap` are closed.
static llama_mmap::ranges merged(llama_mmap::ranges ranges, size_t max_gap) {
    std::sort(ranges.begin(), ranges.end());
    llama_mmap::ranges res;
    for (const auto & range : ranges) {
        if (!res.empty() && range.first <= res.back().second + max_gap) {
            res.back().second = std::max(res.back().second, range.second);
        } else {
            res.push_back(range);
        }
    }
    return res;
}

static llama_mmap::ranges complement(const llama_mmap::ranges & sorted, size_t size) {
    llama_mmap::ranges res;
    size_t pos = 0;
    for (const auto & range : sorted) {
        if (range.first > pos) {
            res.emplace_back(pos, range.first);
        }
        pos = range.second;
    }
    if (pos < size) {
        res.emplace_back(pos, size);
    }
    return res;
}

template <typename F>
static void for_each_tensor(const llama_model_loader & ml, F && f) {
    for (const auto & [key, ctx] : ml.ctx_map) {
        for (ggml_tensor * t = ggml_get_first_tensor(ctx.get()); t; t = ggml_get_next_tensor(ctx.get(), t)) {
            if (const auto * weight = ml.get_weight(ggml_get_name(t))) {
                f(t, *weight);
            }
        }
    }
}

llama_mmap::ranges exo_stage_unneeded(const llama_model_loader & ml, uint32_t file_idx) {
    llama_mmap::ranges needed;
    for_each_tensor(ml, [&](const ggml_tensor * t, const llama_model_loader::llama_tensor_weight & weight) {
        if (weight.idx == file_idx && !ml.lazy.has(t)) {
            needed.emplace_back(weight.offs, weight.offs + ggml_nbytes(t));
        }
    });
    llama_mmap::ranges res = complement(merged(std::move(needed), MIN_GAP), ml.files.at(file_idx)->size());
    // Never empty: llama_mmap maps the whole file into memory at once when it has nothing to leave out, and tensors
    // that are copied out of the mapping would then be held twice.
    res.emplace_back(0, 0);
    return res;
}

size_t exo_stage_size(const llama_model_loader & ml) {
    size_t size = 0;
    for_each_tensor(ml, [&](const ggml_tensor * t, const llama_model_loader::llama_tensor_weight &) {
        size += ggml_nbytes(t);
    });
    if (size == 0 && !ml.stage.stage.head_only()) {
        exo_refuse("this stage of the model holds no tensors");
    }
    // Some embedding models have nothing after their last layer; to llama.cpp 0 bytes are bytes not counted yet.
    return std::max<size_t>(size, 1);
}

#if defined(__linux__)
static void advise_inside(const llama_mmap & mapping, size_t first, size_t last, int advice, bool whole_pages_only) {
    const size_t page = (size_t) sysconf(_SC_PAGESIZE);
    const size_t up   = page - 1;
    first = whole_pages_only ? (first + up) & ~up : first & ~up;
    last  = whole_pages_only ? last & ~up         : std::min((last + up) & ~up, mapping.size());
    if (first < last) {
        madvise((char *) mapping.addr() + first, last - first, advice); // advice only: failure costs time, not truth
    }
}
#endif

static void populate(const llama_mmap & mapping, size_t first, size_t last) {
#if defined(__linux__) && defined(MADV_POPULATE_READ)
    advise_inside(mapping, first, last, MADV_POPULATE_READ, false);
#else
    GGML_UNUSED(mapping);
    GGML_UNUSED(first);
    GGML_UNUSED(last);
#endif
}

void exo_stage_keep(llama_model_loader & ml, const ggml_tensor * tensor, bool is_host) {
    const auto & weight = ml.require_weight(ggml_get_name(tensor));
    const size_t first = weight.offs;
    const size_t last  = weight.offs + ggml_nbytes(tensor);
    if (is_host) {
        ml.stage.mapped[weight.idx].emplace_back(first, last);
    } else {
        auto & span = ml.stage.device_span.emplace(weight.idx, std::make_pair(first, last)).first->second;
        span.first  = std::min(span.first,  first);
        span.second = std::max(span.second, last);
    }
    if (ml.stage.populate && tensor != ml.stage.looked_up && !ml.lazy.has(tensor)) {
        populate(*ml.mappings.at(weight.idx), first, last);
    }
}

void exo_stage_release(const llama_mmap & mapping, size_t first, size_t last) {
#if defined(__linux__)
    advise_inside(mapping, first, last, MADV_DONTNEED, true);
#else
    GGML_UNUSED(mapping);
    GGML_UNUSED(first);
    GGML_UNUSED(last);
#endif
}

void exo_stage_unmap_rest(llama_model_loader & ml, uint32_t file_idx) {
    llama_mmap::ranges used = ml.stage.mapped[file_idx];
    const auto span = ml.stage.device_span.find(file_idx);
    if (span != ml.stage.device_span.end()) {
        used.push_back(span->second);
    }
    auto & mapping = ml.mappings.at(file_idx);
    for (const auto & range : complement(merged(std::move(used), 0), mapping->size())) {
        mapping->unmap_fragment(range.first, range.second);
    }
}

size_t exo_stage_buffer_size(ggml_context * ctx, ggml_backend_buffer_t buffer) {
    size_t size = 0;
    for (ggml_tensor * t = ggml_get_first_tensor(ctx); t; t = ggml_get_next_tensor(ctx, t)) {
        if (t->buffer == buffer) {
            size += ggml_backend_buffer_get_alloc_size(buffer, t);
        }
    }
    return std::min(size, ggml_backend_buffer_get_size(buffer));
}
