#include "memory_plan.h"

#include <algorithm>

#include "../src/llama-ext.h"
#include "devices.h"
#include "error.h"
#include "gguf_check.h"
#include "host_memory.h"
#include "text.h"

namespace exo {
namespace {

const char * cpu_name() {
    return ggml_backend_dev_name(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
}

// Buffers in host memory that a GPU can reach count for the CPU, whose memory they take.
std::string device_of(ggml_backend_buffer_type_t type) {
    const auto device = ggml_backend_buft_get_device(type);
    return ggml_backend_buft_is_host(type) || device == nullptr ? cpu_name() : ggml_backend_dev_name(device);
}

DeviceMemory & entry_for(std::vector<DeviceMemory> & devices, const std::string & name) {
    for (auto & device : devices) {
        if (device.name == name) return device;
    }
    devices.push_back({ name });
    return devices.back();
}

// llama.cpp keeps about 64 bytes of notes per KV cell, which it allocates even in a trial run. A cell itself is several
// times as large in every model, so notes that fill a quarter of the memory leave no room for the cells.
void check_cells(const StageParams & params) {
    constexpr uint64_t bytes_per_cell = 64;
    const uint64_t     cells = uint64_t(params.context_size) * (params.kv_unified ? 1 : params.max_sequences);
    const uint64_t     free  = host_memory().available;
    if (cells * bytes_per_cell <= free / 4) return;
    throw StageError(ErrorCode::out_of_memory,
                     format("A KV cache for %llu tokens does not fit: only %s are free. Take a shorter context or fewer "
                            "sequences.",
                            static_cast<unsigned long long>(cells), readable_bytes(free).c_str()));
}

}  // namespace

std::vector<DeviceMemory> memory_of(const llama_context * context) {
    std::vector<DeviceMemory> devices;
    for (const auto & [type, bytes] : llama_get_memory_breakdown(context)) {
        auto & device = entry_for(devices, device_of(type));
        device.weights += bytes.model;
        device.kv_cache += bytes.context;
        device.compute += bytes.compute;
    }
    return devices;
}

std::vector<WeightBuffer> weight_buffers_of(const llama_context * context) {
    std::vector<WeightBuffer> buffers;
    for (const auto & [type, bytes] : llama_get_memory_breakdown(context)) {
        if (bytes.model > 0) buffers.push_back({ ggml_backend_buft_name(type), bytes.model });
    }
    return buffers;
}

uint64_t mapped_weights(const std::vector<WeightBuffer> & buffers) {
    uint64_t mapped = 0;
    for (const auto & buffer : buffers) {
        // ggml names the type of a buffer over somebody else's memory, but has no function that tells it.
        if (buffer.name.find("_Mapped") != std::string::npos) mapped += buffer.bytes;
    }
    return mapped;
}

std::vector<DeviceMemory> plan_memory(const StageParams & params, const LlamaSetup & setup) {
    check_cells(params);
    auto model_params               = setup.model_params();
    model_params.no_alloc           = true;
    model_params.load_mode          = LLAMA_LOAD_MODE_NONE;
    const auto              model   = open_model(params, model_params);
    const std::atomic<bool> never{ false };
    const auto              texts   = text_traits_of(model.get());
    const auto              context = open_context(model.get(), setup.context_params(texts, never));
    return memory_of(context.get());
}

std::vector<DeviceMemory> plan_memory(const StageParams & params) {
    check_stage_params(params);
    const auto summary = check_gguf(params.model_path);
    if (summary.layer_count > 0) check_layer_range(params, summary.layer_count);
    return plan_memory(params, LlamaSetup(params));
}

void check_memory(const std::vector<DeviceMemory> & plan) {
    for (const auto & device : plan) {
        const auto free = device_memory_free(find_device(device.name));
        // A device that reports nothing cannot be checked beforehand.
        if (free == 0 || device.total() <= free) continue;
        throw StageError(
            ErrorCode::out_of_memory,
            format("This stage needs %s on %s (%s of weights, %s of KV cache, %s to compute with), but only %s are "
                   "free. Take fewer layers, a shorter context, fewer sequences, or a smaller quantization.",
                   readable_bytes(device.total()).c_str(), device.name.c_str(), readable_bytes(device.weights).c_str(),
                   readable_bytes(device.kv_cache).c_str(), readable_bytes(device.compute).c_str(),
                   readable_bytes(free).c_str()));
    }
}

}  // namespace exo
