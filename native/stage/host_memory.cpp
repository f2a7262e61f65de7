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
#    include <unistd.h>
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

// One number of a small file of the kernel; `otherwise` when it is not there or says "max".
uint64_t number_in(const char * path, uint64_t otherwise) {
    std::ifstream file(path);
    uint64_t      value = 0;
    return file >> value ? value : otherwise;
}

// Value in bytes of a "Name:  123 kB" or "name 123" line.
uint64_t field_in(const char * path, const std::string & name, uint64_t unit) {
    std::ifstream file(path);
    std::string   word;
    while (file >> word) {
        uint64_t value = 0;
        if (word == name && file >> value) return value * unit;
    }
    return 0;
}

// What a control group leaves: its limit less its use, reclaimable page cache not counted as use.
uint64_t left_in_group(uint64_t limit, uint64_t used, uint64_t cache) {
    used = used > cache ? used - cache : 0;
    return limit > used ? limit - used : 0;
}

}  // namespace

HostMemory host_memory() {
    HostMemory memory{ field_in("/proc/meminfo", "MemAvailable:", 1024), field_in("/proc/meminfo", "MemTotal:", 1024) };

    const uint64_t v2 = number_in("/sys/fs/cgroup/memory.max", UINT64_MAX);
    if (v2 < memory.total) {
        const uint64_t left = left_in_group(v2, number_in("/sys/fs/cgroup/memory.current", 0),
                                            field_in("/sys/fs/cgroup/memory.stat", "inactive_file", 1) +
                                                field_in("/sys/fs/cgroup/memory.stat", "active_file", 1));
        return { std::min(memory.available, left), v2 };
    }
    const uint64_t v1 = number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes", UINT64_MAX);
    if (v1 < memory.total) {
        const uint64_t left = left_in_group(v1, number_in("/sys/fs/cgroup/memory/memory.usage_in_bytes", 0),
                                            field_in("/sys/fs/cgroup/memory/memory.stat", "total_inactive_file", 1) +
                                                field_in("/sys/fs/cgroup/memory/memory.stat", "total_active_file", 1));
        return { std::min(memory.available, left), v1 };
    }
    return memory;
}

#endif

}  // namespace exo
