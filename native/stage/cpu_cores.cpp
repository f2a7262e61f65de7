#include "cpu_cores.h"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>

#include "common.h"
#include "control_group.h"

#if defined(_WIN32)
#    include <windows.h>
#elif defined(__linux__)
#    include <sched.h>
#endif

namespace exo {
namespace {

// "200000 100000" is two CPUs' worth; "max 100000" is no limit.
double quota_in(const std::string & group) {
    std::ifstream file(group + "/cpu.max");
    double        quota  = 0;
    double        period = 0;
    if (file >> quota >> period && period > 0) return quota / period;
    // version 1 has the same in two files
    std::ifstream quota_file(group + "/cpu/cpu.cfs_quota_us");
    std::ifstream period_file(group + "/cpu/cpu.cfs_period_us");
    if (quota_file >> quota && period_file >> period && quota > 0 && period > 0) return quota / period;
    return 0;
}

std::vector<int32_t> first_cpus(size_t count) {
    std::vector<int32_t> cpus(std::max<size_t>(1, count));
    std::iota(cpus.begin(), cpus.end(), 0);
    return cpus;
}

size_t math_cores() {
    return static_cast<size_t>(std::max(1, common_cpu_get_num_math()));
}

#if defined(__linux__)

std::string siblings_of(int cpu) {
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings");
    std::string   line;
    return std::getline(file, line) ? line : std::to_string(cpu);
}

std::vector<int32_t> allowed_cores() {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return first_cpus(math_cores());
    std::vector<int32_t>  cpus;
    std::set<std::string> seen;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &allowed) && seen.insert(siblings_of(cpu)).second) cpus.push_back(cpu);
    }
    return cpus.empty() ? first_cpus(1) : cpus;
}

#elif defined(_WIN32)

std::vector<int32_t> allowed_cores() {
    DWORD_PTR process = 0;
    DWORD_PTR system  = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &process, &system)) return first_cpus(math_cores());
    size_t allowed = 0;
    for (; process != 0; process >>= 1) allowed += process & 1;
    return first_cpus(std::min(allowed, math_cores()));
}

#else

// macOS lets nobody tie a process to cores.
std::vector<int32_t> allowed_cores() {
    return first_cpus(math_cores());
}

#endif

}  // namespace

CpuLimit cpu_limit(const std::string & mount, const std::string & own) {
    CpuLimit    least;
    std::string path = own;
    for (;;) {
        const bool   is_root = path.empty() || path == "/";
        const double quota   = quota_in(mount + path);
        if (quota > 0 && (least.quota == 0 || quota <= least.quota)) least = { quota, is_root ? "/" : path };
        if (is_root) return least;
        path.erase(path.find_last_of('/'));
    }
}

CpuCores cpu_cores() {
    CpuCores cores;
    cores.cpus = allowed_cores();
    // On processors with two kinds of cores the count of llama.cpp leaves out the slow ones, which come last.
    cores.cpus.resize(std::min(cores.cpus.size(), math_cores()));
#if defined(__linux__)
    const auto limit = cpu_limit("/sys/fs/cgroup", control_group(""));
    cores.quota      = limit.quota;
    cores.group      = limit.group;
#endif
    return cores;
}

}  // namespace exo
