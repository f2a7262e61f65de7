#include "host_memory.h"

#include <algorithm>
#include <fstream>
#include <string>

#if defined(_WIN32)
#    include <windows.h>
#elif defined(__APPLE__)
#    include <mach/mach.h>
#    include <sys/sysctl.h>
#else
#    include "control_group.h"
#endif

namespace exo {

#if defined(_WIN32)

HostMemory host_memory() {
    MEMORYSTATUSEX status{};
    status.dwLength = sizeof(status);
    GlobalMemoryStatusEx(&status);
    return { status.ullAvailPhys, status.ullTotalPhys };
}

#elif defined(__APPLE__)

HostMemory host_memory() {
    uint64_t total  = 0;
    size_t   length = sizeof(total);
    sysctlbyname("hw.memsize", &total, &length, nullptr, 0);
    vm_statistics64_data_t statistics{};
    mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
    if (host_statistics64(mach_host_self(), HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&statistics), &count) !=
        KERN_SUCCESS) {
        return { total, total };
    }
    const uint64_t pages =
        uint64_t(statistics.free_count) + statistics.inactive_count + statistics.purgeable_count;
    return { std::min(total, pages * uint64_t(vm_kernel_page_size)), total };
}

#else

namespace {

// Of a line "Name:  123 kB", in bytes.
uint64_t meminfo(const std::string & name) {
    std::ifstream file("/proc/meminfo");
    std::string   word;
    while (file >> word) {
        uint64_t value = 0;
        if (word == name && file >> value) return value * 1024;
    }
    return 0;
}

}  // namespace

HostMemory host_memory() {
    HostMemory memory{ meminfo("MemAvailable:"), meminfo("MemTotal:") };
    for (const auto & limit : { memory_limit_v2("/sys/fs/cgroup", control_group("")),
                                memory_limit_v1("/sys/fs/cgroup/memory", control_group("memory")) }) {
        // Version 1 says "no limit" with a huge number.
        if (limit.total >= memory.total) continue;
        memory = { std::min(memory.available, limit.left), limit.total };
    }
    return memory;
}

#endif

}  // namespace exo
