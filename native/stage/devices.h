#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ggml-backend.h"

namespace exo {

struct Device {
    std::string name;
    std::string description;
    std::string kind;  // cpu, gpu, igpu, accelerator
    uint64_t    memory_free;
    uint64_t    memory_total;
};

// Registers every ggml backend in `directory` (the best CPU variant, any GPU) once per directory, and prepares
// llama.cpp. Returns the names of all backends registered so far. Throws when there is no CPU backend.
std::vector<std::string> load_backends(const std::string & directory);

std::vector<Device> list_devices();

// Free bytes of a device; the host's own count for the CPU and for accelerators that work in its memory.
uint64_t device_memory_free(ggml_backend_dev_t device);

// Throws `invalid_argument` naming the devices there are.
ggml_backend_dev_t find_device(const std::string & name);

}  // namespace exo
