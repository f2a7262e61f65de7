#pragma once

#include <cstdint>
#include <istream>
#include <string>

namespace exo {

// The path of this process's control group on Linux: of version 2 for the empty name, else of that controller of
// version 1. "/" where it is not known.
std::string control_group(const std::string & controller);

// The same from the text of /proc/self/cgroup.
std::string control_group_in(std::istream & text, const std::string & controller);

struct MemoryLimit {
    uint64_t total = UINT64_MAX;  // bytes that the group may use
    uint64_t left  = UINT64_MAX;  // of those not in use; page cache that can be given back counts as not in use
};

// The tightest limit of a control group and those around it, down from `mount`. Swap is not counted.
MemoryLimit memory_limit_v2(const std::string & mount, const std::string & group);
MemoryLimit memory_limit_v1(const std::string & mount, const std::string & group);

}  // namespace exo
