#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace exo {

// NativeCpuCores of src/native/bindings.ts.
struct CpuCores {
    // One logical CPU of each physical core that this process may run on: of two hardware threads only one, because
    // both share the arithmetic units that matter here. No more than the machine has fast cores: efficiency cores, which
    // come last, are left out unless the process may not run on enough others.
    std::vector<int32_t> cpus;
    // CPUs' worth of time that a container's or a service's limit gives the process; 0: no limit.
    double               quota = 0;
    // The control group that has this limit, which everything in it shares; "": no limit.
    std::string          group;
};

CpuCores cpu_cores();

struct CpuLimit {
    double      quota = 0;  // 0: none
    std::string group;
};

// The smallest CPU limit from a control group up to the root, of equal ones the outermost. `own` is the group's path
// below `mount`, as /proc/self/cgroup has it for version 2; a container sees its own group as the root.
CpuLimit cpu_limit(const std::string & mount, const std::string & own);

}  // namespace exo
