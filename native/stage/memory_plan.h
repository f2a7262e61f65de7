#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "llama_pointers.h"
#include "llama_setup.h"

namespace exo {

struct DeviceMemory {
    std::string name;
    uint64_t    weights  = 0;  // bytes
    uint64_t    kv_cache = 0;
    uint64_t    compute  = 0;

    uint64_t total() const { return weights + kv_cache + compute; }
};

struct WeightBuffer {
    std::string name;  // ggml's buffer type
    uint64_t    bytes;
};

// NativeStageMemory of src/native/bindings.ts.
struct StageMemory {
    std::vector<DeviceMemory> devices;  // the CPU last
    uint64_t                  output         = 0;
    uint64_t                  weights_mapped = 0;  // of the weights: pages of the model file, which other stages share
    std::vector<WeightBuffer> weight_buffers;
};

// What a context holds, by device; everything in host memory counts for the CPU.
std::vector<DeviceMemory> memory_of(const llama_context * context);

// Weights by the kind of buffer they are in; "CPU_REPACK" is what the CPU has laid out anew for its instructions.
std::vector<WeightBuffer> weight_buffers_of(const llama_context * context);

// Weights that are pages of the model file, as far as no device needs them in another form; 0 without mmap.
uint64_t mapped_weights(const std::vector<WeightBuffer> & buffers);

// The memory that the stage will take, from a trial run of llama.cpp's loader that allocates no tensors. Throws
// `out_of_memory` at once for a context that is out of the question.
std::vector<DeviceMemory> plan_memory(const StageParams & params, const LlamaSetup & setup);

// The same for a stage that nobody is about to load: checks the parameters and the file first.
std::vector<DeviceMemory> plan_memory(const StageParams & params);

// Throws `out_of_memory` naming both numbers when a device has less free than the plan puts on it.
void check_memory(const std::vector<DeviceMemory> & plan);

}  // namespace exo
