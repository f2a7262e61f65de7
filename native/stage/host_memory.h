#pragma once

#include <cstdint>

namespace exo {

struct HostMemory {
    uint64_t available;  // bytes that can be used without swapping, page cache counted as available
    uint64_t total;
};

// ggml reports all of a machine's memory as free; this asks the system, and a container's limit where there is one.
HostMemory host_memory();

}  // namespace exo
