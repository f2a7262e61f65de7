#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "../src/llama-ext.h"
#include "../stage/devices.h"
#include "check.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "loaded_stage.h"
#include "tiny_model.h"

#if defined(__linux__)
#    include <sys/resource.h>
#endif

using namespace exo;
using namespace exo::test;

namespace {

std::filesystem::path directory;

std::string model_of(const char * name, const TinyModel & model) {
    const auto path = (directory / name).string();
    write_tiny_model(path, model);
    return path;
}

int flash_attention_nodes(Stage & stage) {
    auto * graph = llama_graph_reserve(stage.model().context(), 4, 1, 4);
    int    count = 0;
    for (int index = 0; index < ggml_graph_n_nodes(graph); ++index) {
        if (ggml_graph_node(graph, index)->op == GGML_OP_FLASH_ATTN_EXT) ++count;
    }
    return count;
}

void flash_attention_is_as_asked() {
    const auto path = model_of("f32.gguf", {});
    for (const auto & [begin, end, output] : { std::tuple(0, tiny_layers, true), std::tuple(1, 3, false) }) {
        auto params = params_for(path, begin, end, output);
        for (const auto mode : { LLAMA_FLASH_ATTN_TYPE_ENABLED, LLAMA_FLASH_ATTN_TYPE_AUTO }) {
            params.flash_attention = mode;
            CHECK(flash_attention_nodes(*load(params)) == end - begin);
        }
        params.flash_attention = LLAMA_FLASH_ATTN_TYPE_DISABLED;
        CHECK(flash_attention_nodes(*load(params)) == 0);
    }
}

uint64_t repacked_bytes(Stage & stage) {
    for (const auto & buffer : stage.model().memory().weight_buffers) {
        if (buffer.name == "CPU_REPACK") return buffer.bytes;
    }
    return 0;
}

bool cpu_has(const char * feature) {
    const auto registry = ggml_backend_dev_backend_reg(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
    const auto features = reinterpret_cast<ggml_backend_get_features_t>(
        ggml_backend_reg_get_proc_address(registry, "ggml_backend_get_features"));
    for (auto * entry = features(registry); entry->name != nullptr; ++entry) {
        if (std::strcmp(entry->name, feature) == 0) return true;
    }
    return false;
}

void weights_are_laid_out_anew_in_every_part() {
    const auto path  = model_of("q4_0.gguf", { GGML_TYPE_Q4_0, 4 });
    const auto whole = load(params_for(path, 0, tiny_layers, true));
    const auto first = load(params_for(path, 0, 1, false));
    const auto rest  = load(params_for(path, 1, tiny_layers, false));
    const auto back  = load(params_for(path, tiny_layers, tiny_layers, true));
    if (cpu_has("AVX2") || cpu_has("DOTPROD")) CHECK(repacked_bytes(*whole) > 0);
    // the same matrices as in the whole model, each in one part, and nothing twice
    CHECK(repacked_bytes(*first) + repacked_bytes(*rest) + repacked_bytes(*back) == repacked_bytes(*whole));
    CHECK(repacked_bytes(*rest) == repacked_bytes(*first) * (tiny_layers - 1));
}

void locked_parts_are_not_mapped() {
    const auto path   = model_of("locked.gguf", {});
    auto       params = params_for(path, 1, 3, false);
    const auto weights = [](Stage & stage) {
        uint64_t sum = 0;
        for (const auto & device : stage.model().memory().devices) sum += device.weights;
        return sum;
    };
    const auto mapped = load(params);
    CHECK(mapped->model().memory().weights_mapped > 0);
    params.use_mlock = true;
    // with the limit of any process: where the lock fails, llama.cpp goes on without
    const auto locked = load(params);
    CHECK(locked->model().memory().weights_mapped == 0);
    params.use_mlock = false;
    params.use_mmap  = false;
    const auto read  = load(params);
    CHECK(read->model().memory().weights_mapped == 0);
    CHECK(weights(*read) == weights(*locked));
}

#if defined(__linux__)

uint64_t locked_bytes() {
    std::ifstream file("/proc/self/status");
    std::string   word;
    uint64_t      kibibytes = 0;
    while (file >> word) {
        if (word == "VmLck:" && file >> kibibytes) return kibibytes << 10;
    }
    return 0;
}

// llama.cpp by itself passes over weights that the CPU has laid out anew.
void every_weight_is_locked() {
    rlimit limit{};
    CHECK(getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    if (limit.rlim_cur < (4 << 20)) return;
    const auto path   = model_of("locked-q4_0.gguf", { GGML_TYPE_Q4_0, 4 });
    auto       params = params_for(path, 0, tiny_layers - 1, false);
    params.use_mlock  = true;
    const auto stage  = load(params);
    uint64_t   all    = 0;
    for (const auto & buffer : stage->model().memory().weight_buffers) all += buffer.bytes;
    CHECK(repacked_bytes(*stage) < all);
    CHECK(locked_bytes() >= all);
}

#else

void every_weight_is_locked() {}

#endif

void every_kind_of_cache_computes() {
    const auto path  = model_of("wide-heads.gguf", { GGML_TYPE_F32, 2 });
    const auto exact = logits_of(*load(params_for(path, 0, tiny_layers, true)), some_rows(0, 0, 20));
    for (const char * name : { "f32", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl" }) {
        auto params      = params_for(path, 0, tiny_layers, true);
        params.kv_type_k = params.kv_type_v = kv_type_from_name(name);
        const auto logits                   = logits_of(*load(params), some_rows(0, 0, 20));
        CHECK(logits.size() == exact.size());
        float error = 0;
        float size  = 0;
        for (size_t index = 0; index < logits.size(); ++index) {
            error += (logits[index] - exact[index]) * (logits[index] - exact[index]);
            size += exact[index] * exact[index];
        }
        // another cache gives other numbers, but not by much
        CHECK(error < 0.1f * size);
    }
}

void caches_that_cannot_be_are_refused() {
    const auto path   = model_of("narrow-heads.gguf", { GGML_TYPE_F32, 4 });
    auto       params = params_for(path, 0, tiny_layers, true);
    // heads of 16 numbers, blocks of 32
    params.kv_type_k = GGML_TYPE_Q8_0;
    CHECK_THROWS(ErrorCode::invalid_argument, load(params));
    params.kv_type_k       = GGML_TYPE_F16;
    params.kv_type_v       = GGML_TYPE_Q4_0;
    params.flash_attention = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    CHECK_THROWS(ErrorCode::invalid_argument, load(params));
    CHECK_THROWS(ErrorCode::invalid_argument, kv_type_from_name("q2_K"));
}

}  // namespace

int main() {
    load_backends(EXO_LIBRARY_DIR);
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    directory      = std::filesystem::temp_directory_path() / ("exo-options-test-" + std::to_string(now));
    std::filesystem::create_directories(directory);
    flash_attention_is_as_asked();
    weights_are_laid_out_anew_in_every_part();
    locked_parts_are_not_mapped();
    every_weight_is_locked();
    every_kind_of_cache_computes();
    caches_that_cannot_be_are_refused();
    std::filesystem::remove_all(directory);
}
