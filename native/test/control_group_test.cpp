#include "../stage/control_group.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "../stage/host_memory.h"
#include "check.h"

using namespace exo;

namespace {

constexpr uint64_t mib = uint64_t(1) << 20;

void write(const std::filesystem::path & file, const std::string & text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

std::string bytes(uint64_t count) {
    return std::to_string(count * mib) + "\n";
}

std::string group_in(const char * text, const char * controller) {
    std::istringstream lines(text);
    return control_group_in(lines, controller);
}

void own_group_is_found() {
    constexpr const char * both = "9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/user.slice/app\n";
    CHECK(group_in(both, "") == "/user.slice/app");
    CHECK(group_in(both, "memory") == "/docker/abc");
    CHECK(group_in(both, "pids") == "/");
    CHECK(group_in("", "") == "/");
    CHECK(group_in("nonsense\n:\n::\n1:memory\n", "memory") == "/");
}

void limits_of_version_2(const std::filesystem::path & mount) {
    const auto limit = [&](const char * group) { return memory_limit_v2(mount.string(), group); };
    CHECK(limit("/").total == UINT64_MAX && limit("/").left == UINT64_MAX);
    write(mount / "memory.max", "max\n");
    write(mount / "a" / "memory.max", bytes(1000));
    write(mount / "a" / "memory.current", bytes(700));
    write(mount / "a" / "memory.stat", "anon 5\ninactive_file 104857600\nactive_file 104857600\n");
    CHECK(limit("/").total == UINT64_MAX);
    CHECK(limit("/a").total == 1000 * mib && limit("/a").left == 500 * mib);
    // a group without a limit of its own, and one with a wider limit, have that around them
    write(mount / "a" / "b" / "memory.max", "max\n");
    write(mount / "a" / "c" / "memory.max", bytes(2000));
    CHECK(limit("/a/b").total == 1000 * mib && limit("/a/b").left == 500 * mib);
    CHECK(limit("/a/c").total == 1000 * mib && limit("/a/c").left == 500 * mib);
    // more is in use than is allowed
    write(mount / "a" / "d" / "memory.max", bytes(10));
    write(mount / "a" / "d" / "memory.current", bytes(11));
    CHECK(limit("/a/d").left == 0);
    // what cannot be seen from here
    CHECK(limit("/a/x/y").total == 1000 * mib);
}

void limits_of_version_1(const std::filesystem::path & mount) {
    write(mount / "memory.limit_in_bytes", "9223372036854771712\n");
    write(mount / "docker" / "memory.limit_in_bytes", bytes(300));
    write(mount / "docker" / "memory.usage_in_bytes", bytes(100));
    write(mount / "docker" / "memory.stat", "inactive_file 1\ntotal_inactive_file 52428800\ntotal_active_file 0\n");
    const auto limit = memory_limit_v1(mount.string(), "/docker");
    CHECK(limit.total == 300 * mib && limit.left == 250 * mib);
}

void this_machine_has_memory() {
    const auto memory = host_memory();
    CHECK(memory.total > 0);
    CHECK(memory.available <= memory.total);
}

}  // namespace

int main() {
    own_group_is_found();
    const auto mount = std::filesystem::temp_directory_path() / "exo-control-group-test";
    std::filesystem::remove_all(mount);
    limits_of_version_2(mount / "v2");
    limits_of_version_1(mount / "v1");
    std::filesystem::remove_all(mount);
    this_machine_has_memory();
}
