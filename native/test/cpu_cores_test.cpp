#include "../stage/cpu_cores.h"

#include <filesystem>
#include <fstream>
#include <set>

#include "../stage/devices.h"
#include "../stage/memory_lock.h"
#include "check.h"

#if defined(__linux__)
#    include <sched.h>
#endif

using namespace exo;

namespace {

void write(const std::filesystem::path & file, const char * text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

void limits_of_groups_are_found() {
    const auto mount = std::filesystem::temp_directory_path() / "exo-cpu-cores-test";
    std::filesystem::remove_all(mount);
    CHECK(cpu_limit(mount.string(), "/").quota == 0);
    write(mount / "cpu.max", "max 100000");
    write(mount / "a" / "cpu.max", "350000 100000");
    write(mount / "a" / "b" / "cpu.max", "400000 100000");
    CHECK(cpu_limit(mount.string(), "/").quota == 0);
    CHECK(cpu_limit(mount.string(), "/a").quota == 3.5);
    // the group around it leaves less than its own
    CHECK(cpu_limit(mount.string(), "/a/b").quota == 3.5);
    CHECK(cpu_limit(mount.string(), "/a/b").group == "/a");
    CHECK(cpu_limit(mount.string(), "/").group.empty());
    // two groups with limits of their own, and two within one limit
    write(mount / "a" / "d" / "cpu.max", "200000 100000");
    write(mount / "a" / "e" / "cpu.max", "200000 100000");
    CHECK(cpu_limit(mount.string(), "/a/d").group == "/a/d");
    CHECK(cpu_limit(mount.string(), "/a/e").group == "/a/e");
    write(mount / "a" / "e" / "f" / "cpu.max", "200000 100000");
    CHECK(cpu_limit(mount.string(), "/a/e/f").group == "/a/e");
    // a group that cannot be seen from here
    CHECK(cpu_limit(mount.string(), "/c/d").quota == 0);
    write(mount / "cpu.max", "not a number");
    write(mount / "cpu" / "cpu.cfs_quota_us", "-1");
    write(mount / "cpu" / "cpu.cfs_period_us", "100000");
    CHECK(cpu_limit(mount.string(), "/").quota == 0);
    write(mount / "cpu" / "cpu.cfs_quota_us", "50000");
    CHECK(cpu_limit(mount.string(), "/").quota == 0.5);
    CHECK(cpu_limit(mount.string(), "/").group == "/");
    std::filesystem::remove_all(mount);
}

void cores_are_there_once() {
    const auto cores = cpu_cores();
    CHECK(!cores.cpus.empty());
    CHECK(std::set<int32_t>(cores.cpus.begin(), cores.cpus.end()).size() == cores.cpus.size());
    CHECK(cores.quota >= 0);
}

void affinity_is_honoured() {
#if defined(__linux__)
    cpu_set_t before;
    CHECK(sched_getaffinity(0, sizeof(before), &before) == 0);
    const auto last = cpu_cores().cpus.back();
    cpu_set_t  one;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
    CHECK(cpu_cores().cpus == std::vector<int32_t>{ last });
    CHECK(sched_setaffinity(0, sizeof(before), &before) == 0);
#endif
}

void a_lock_that_fails_tells_the_limit() {
    const auto small = mlock_warning(64 << 10);
    CHECK(small.find("64.0 KiB") != std::string::npos);
    CHECK(small.find("ulimit -l unlimited") != std::string::npos);
    CHECK(small.find("runs all the same") != std::string::npos);
    // where there is no limit, none can be raised
    CHECK(mlock_warning(UINT64_MAX).find("ulimit") == std::string::npos);
}

}  // namespace

int main() {
    limits_of_groups_are_found();
    cores_are_there_once();
    affinity_is_honoured();
    a_lock_that_fails_tells_the_limit();
}
