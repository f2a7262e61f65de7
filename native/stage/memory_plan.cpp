#include "memory_plan.h"

#include <algorithm>

#include "../src/llama-ext.h"
#include "devices.h"
#include "error.h"
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

std::vector<DeviceMemory> plan_memory(const StageParams & params, const LlamaSetup & setup) {
    auto model_params      = setup.model_params();
    model_params.no_alloc  = true;
    model_params.load_mode = LLAMA_LOAD_MODE_NONE;
    const auto model       = open_model(params, model_params);
    const auto context     = open_context(model.get(), setup.context_params());
    return memory_of(context.get());
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
